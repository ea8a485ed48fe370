# SPDX-License-Identifier: BSD-3-Clause
"""A network in standard ONNX operators, and the output grids of its quantisers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto

from bonn_hw.frontend import execute
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.outputs import Output
from bonn_hw.frontend.stated_grid import StatedGrid

BATCH = 256  # frames per run of the reference


@dataclass(frozen=True)
class QuantGrid:
    """The output values of a quantiser: ``scale`` times an integer in [low, high], or times ±1."""

    scale: NDArray[np.float32]
    low: int
    high: int
    bipolar: bool = False


@dataclass(frozen=True, eq=False)
class Model:
    """A network in standard ONNX operators, batch first.

    Attributes
    ----------
    nodes : tuple of NodeProto
        In topological order; only those that the output depends on.
    constants, shapes, grids : mappings by tensor name
        Constant tensors; static shapes without the batch axis; grids of tensors that are the
        output of a quantiser, constants included.
    input, output : str
    outputs : tuple of Output
        The outputs of the file; if there are several, `output` is all of them, joined.
    annotation : QuantGrid or None
        The integer type of the input, if the file has an annotation.
    metadata : mapping
        Properties of the file.
    foldings : mapping
        PE, SIMD and FIFO depths in the file, by layer, in the form of FINN's folding file.
    stated : StatedGrid or None
        The values of the input as the user states them, if the file has no quantiser there.
    """

    sha256: str
    nodes: tuple[NodeProto, ...]
    constants: Mapping[str, Array]
    shapes: Mapping[str, tuple[int, ...]]
    grids: Mapping[str, QuantGrid]
    input: str
    output: str
    opset: int
    outputs: tuple[Output, ...] = ()
    annotation: QuantGrid | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    foldings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    stated: StatedGrid | None = None

    def check(self) -> None:
        """Raise an exception of onnx or of ONNX Runtime if they refuse the model."""
        onnx.checker.check_model(
            onnx.shape_inference.infer_shapes(self._part([self.output], for_shapes=True).proto)
        )
        self._session.get_inputs()

    def _part(self, outputs: Sequence[str], *, for_shapes: bool = False) -> execute.Part:
        entry = {self.input: (TensorProto.FLOAT, 1 + len(self.shapes[self.input]))}
        return execute.part_of(
            self.nodes, entry, outputs, self.constants, self.opset, for_shapes=for_shapes
        )

    def _opened(self, outputs: Sequence[str]) -> execute.Session:
        return execute.opened(self._part(outputs), threads=0)

    @cached_property
    def _session(self) -> execute.Session:
        return self._opened([self.output])

    def run(self, frames: NDArray[np.float32]) -> Array:
        """Compute the outputs as ONNX Runtime does, which rounds its sums (see `reference`).

        Parameters
        ----------
        frames : float32 ``(N, ...)``

        Returns
        -------
        float32 ``(N, ...)``, or the type of the last operator
        """
        parts = [
            self._session.run([self.output], {self.input: frames[start : start + BATCH]})[0]
            for start in range(0, max(1, len(frames)), BATCH)
        ]
        return np.concatenate(parts)

    def tensors(self, frames: NDArray[np.float32], names: Sequence[str]) -> dict[str, Array]:
        """Values ``(N, ...)`` of tensors inside the model."""
        values = self._opened(names).run(list(names), {self.input: frames})
        return dict(zip(names, values, strict=True))

    def computed(self, node: NodeProto) -> list[str]:
        """Inputs of a node that depend on the data."""
        return [name for name in node.input if name and name not in self.constants]

    def consumers(self, tensor: str) -> list[NodeProto]:
        """Nodes with this tensor as input; a node is listed once per use."""
        return self._consumers.get(tensor, [])

    @cached_property
    def _consumers(self) -> dict[str, list[NodeProto]]:
        consumers: dict[str, list[NodeProto]] = {}
        for node in self.nodes:
            for name in node.input:
                consumers.setdefault(name, []).append(node)
        return consumers
