# SPDX-License-Identifier: BSD-3-Clause
"""A network in standard ONNX operators, and what its quantisers give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto

from bonn_hw.frontend import execute
from bonn_hw.frontend.execute import Array

BATCH = 256  # frames that the reference is run with at a time


@dataclass(frozen=True)
class QuantGrid:
    """What a quantiser gives: ``scale`` times an integer in [low, high] (bipolar: −1 or +1)."""

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
        Constant tensors; static shapes without the batch axis; what quantisers give, of
        constants too.
    input, output : str
    annotation : QuantGrid or None
        An integer type that the file states for its input.
    metadata : mapping
        Properties of the file.
    foldings : mapping
        PE, SIMD and FIFO depths by layer that the file states, in the form of FINN's folding file.
    """

    sha256: str
    nodes: tuple[NodeProto, ...]
    constants: Mapping[str, Array]
    shapes: Mapping[str, tuple[int, ...]]
    grids: Mapping[str, QuantGrid]
    input: str
    output: str
    opset: int
    annotation: QuantGrid | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    foldings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @cached_property
    def _session(self) -> execute.Session:
        kind = {self.input: (TensorProto.FLOAT, 1 + len(self.shapes[self.input]))}
        whole = execute.assemble(self.nodes, kind, [self.output], self.constants, self.opset)
        return execute.session(whole, threads=0)

    def run(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Answer as the QONNX model does.

        Parameters
        ----------
        frames : float32 ``(N, ...)``

        Returns
        -------
        float32 ``(N, ...)``
        """
        parts = [
            self._session.run([self.output], {self.input: frames[start : start + BATCH]})[0]
            for start in range(0, max(1, len(frames)), BATCH)
        ]
        return np.concatenate(parts)

    def tensors(self, frames: NDArray[np.float32], names: Sequence[str]) -> dict[str, Array]:
        """Values ``(N, ...)`` of tensors inside the model."""
        kind = {self.input: (TensorProto.FLOAT, 1 + len(self.shapes[self.input]))}
        whole = execute.assemble(self.nodes, kind, names, self.constants, self.opset)
        found = execute.session(whole, threads=0).run(list(names), {self.input: frames})
        return dict(zip(names, found, strict=True))

    def computed(self, node: NodeProto) -> list[str]:
        """Inputs of a node that depend on the data."""
        return [name for name in node.input if name and name not in self.constants]

    def consumers(self, tensor: str) -> list[NodeProto]:
        """Nodes that take a tensor, once for each time that they do."""
        return [node for node in self.nodes for name in node.input if name == tensor]
