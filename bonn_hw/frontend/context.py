# SPDX-License-Identifier: BSD-3-Clause
"""What all values of a model share during lowering, and what the self-check compares afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from bonn_hw.frontend.activation import Activation
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.model import Model
from bonn_hw.frontend.notes import Note
from bonn_hw.frontend.padding import Pads
from bonn_hw.frontend.pending_ops import channel_axis
from bonn_hw.frontend.reference import IntegerTensor, ReferenceParts
from bonn_hw.ir.kernel import Kernel


@dataclass(frozen=True, eq=False)
class Probe:
    """A tensor of the model whose values are ``scale`` times the integers of a graph's tensor.

    Attributes
    ----------
    layer : str
        The layer that computes it.
    tensor, stream : str
        Names in the model and in the graph.
    order : int64, shape of the model's tensor without the batch axis
        Index of each element in the stream.
    scale : float32 ``(C,)``
    sums : bool
        Whether these are the sums of a layer, before a quantiser decides.
    """

    layer: str
    tensor: str
    stream: str
    order: NDArray[np.int64]
    scale: NDArray[np.float32]
    sums: bool = False

    @property
    def integers(self) -> IntegerTensor:
        """The tensor in the reference."""
        count, channels = len(self.scale), ()
        axis = channel_axis(self.order, count)
        if axis is None and self.order.ndim == 1:
            channels = tuple((self.order % count).tolist())
        scale = self.scale[:1] if (self.scale == self.scale[0]).all() else self.scale
        return IntegerTensor(
            self.layer, self.tensor, tuple(scale.tolist()), channels, 1 + (axis or 0)
        )

    def values(self, integers: NDArray[np.integer]) -> NDArray[np.float32]:
        """The model's values ``(N, ...)`` of the graph's integers."""
        order = self.order.reshape(-1)
        scale = self.scale[order % len(self.scale)].astype(np.float64)
        flat = integers.reshape(len(integers), -1)[:, order] * scale
        return flat.astype(np.float32).reshape(len(integers), *self.order.shape)


@dataclass(frozen=True, eq=False)
class Expectation:
    """A kernel must compute the activation of a layer, for every integer that can occur.

    Attributes
    ----------
    stream : str
        The kernel's output in the graph.
    wrong : function
        For the kernel, the channels in which it differs, bool ``(C,)``.
    """

    layer: str
    stream: str
    wrong: Callable[[Kernel], NDArray[np.bool_]]


@dataclass
class Context:
    """State that all values of a model share during lowering.

    Attributes
    ----------
    pytorch : list or None
        PyTorch's activations after the matrix layers that are not lowered yet.
    notes : list of Note
        Remarks about rounding and constant activations.
    parts : ReferenceParts
        The reference, as far as it differs from the model.
    probes : list of Probe
        Tensors that the model and the graph have in common.
    expected : list of Expectation
        What kernels must compute for every integer.
    """

    model: Model
    pytorch: list[Activation] | None
    notes: list[Note] = field(default_factory=list)
    parts: ReferenceParts = field(default_factory=ReferenceParts)
    probes: list[Probe] = field(default_factory=list)
    expected: list[Expectation] = field(default_factory=list)

    def copy(self) -> Context:
        """The same state, with lists of its own."""
        return Context(
            self.model,
            None if self.pytorch is None else [*self.pytorch],
            [*self.notes],
            self.parts.copy(),
            [*self.probes],
            [*self.expected],
        )

    def add_constant(self, name: str, value: Array) -> None:
        """Add a constant that is part of a layer in the file, such as a bias."""
        self.model = replace(self.model, constants={**self.model.constants, name: value})


@dataclass(frozen=True, eq=False)
class EarlyPad:
    """A Pad before its activation: pending operators from index `place` on change its value."""

    name: str
    frame: tuple[int, int]
    pads: Pads
    value: np.float32
    place: int
