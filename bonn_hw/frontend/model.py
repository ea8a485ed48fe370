# SPDX-License-Identifier: BSD-3-Clause
"""A QONNX model as data, and its answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto

from bonn_hw.errors import UserError
from bonn_hw.frontend.execute import Array, assemble, session

IMAGES_AT_ONCE = 128


@dataclass(frozen=True, eq=False)
class Model:
    """What `read` makes of a file: constants folded, shapes known, batch dimension free.

    Attributes
    ----------
    nodes : tuple of NodeProto
        Those that work on activations, in topological order.
    constants : mapping
        Arrays by tensor name.
    shapes : mapping
        Shape of every activation by tensor name, without the batch.
    annotation : str or None
        The qonnx datatype with which the graph's input is annotated.
    """

    sha256: str
    nodes: tuple[NodeProto, ...]
    constants: Mapping[str, Array]
    shapes: Mapping[str, tuple[int, ...]]
    input: str
    output: str
    opset: int
    annotation: str | None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one image."""
        return self.shapes[self.input]

    @cached_property
    def _session(self) -> Callable[..., list[Array]]:
        inputs = {self.input: (TensorProto.FLOAT, ("N", *self.input_shape))}
        proto = assemble(self.nodes, self.constants, inputs, [self.output], self.opset)
        return session(proto.SerializeToString(), "the model")

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Answer as qonnx executes the model.

        Parameters
        ----------
        x : float32 ``(N, ...)``

        Returns
        -------
        float32 ``(N, ...)``
        """
        check_images(x, self.input_shape)
        answers = np.zeros((len(x), *self.shapes[self.output]), np.float32)
        for i in range(0, len(x), IMAGES_AT_ONCE):
            part = np.ascontiguousarray(x[i : i + IMAGES_AT_ONCE])
            answers[i : i + IMAGES_AT_ONCE] = self._session(**{self.input: part})[0]
        return answers


def check_images(x: NDArray[np.float32], shape: tuple[int, ...]) -> None:
    """Raise UserError unless ``x`` is finite float32 of shape ``(N, *shape)``."""
    wanted = f"float32 of shape (N, {', '.join(map(str, shape))})"
    if not isinstance(x, np.ndarray) or x.dtype != np.float32:
        kind = x.dtype if isinstance(x, np.ndarray) else type(x).__name__
        raise UserError(f"inputs: must be {wanted}, not {kind}; convert with astype(np.float32)")
    if x.shape[1:] != shape or x.ndim == 0:
        raise UserError(f"inputs: must be {wanted}, not {x.shape}; give one image after the other")
    bad = ~np.isfinite(x).reshape(len(x), -1).all(axis=1) if x.size else np.zeros(0, bool)
    if bad.any():
        raise UserError(
            f"inputs: image {int(bad.argmax())} holds NaN or infinity; every value must be finite: "
            "check how the images were normalised"
        )
