# SPDX-License-Identifier: BSD-3-Clause
"""A value on its way between two kernels: integers, and the operators that wait to be applied.

Nothing is simplified. When the values are needed, the waiting operators are executed, as they stand
in the model, on every integer that can occur.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend import execute
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.model import Model
from bonn_hw.ir.tensor import Element

CHUNK = 1 << 18  # values that are evaluated at a time; they stay in the cache


@dataclass(frozen=True, eq=False)
class PendingOp:
    """An operator that waits.

    Attributes
    ----------
    order : int64
        That of the tensor before it (see `PendingOps`).
    moves : bool
        Whether it moves elements, and leaves their values alone.
    """

    node: NodeProto
    order: NDArray[np.int64]
    moves: bool = False

    @property
    def output(self) -> str:
        """The tensor that it gives."""
        name: str = self.node.output[0]
        return name


@dataclass(frozen=True, eq=False)
class PendingOps:
    """Integers of C channels and the operators after them.

    Attributes
    ----------
    low, high : int64 ``(C,)``
        Range of each channel's integers.
    scale : float32 ``(C,)``
        What an integer counts for in the model before the first operator.
    error : float64 ``(C,)``
        Bound of the rounding of the model's own sum, in integers (see `Branch.add_matrix`).
    order : int64, shape of the model's tensor without the batch axis
        Where each element stands in the stream ``(H, W, C)``.
    values : float32 ``(R,)`` or None
        The model's values of the `domain`'s integers, where they are no multiples of `scale`.
    ops : tuple of PendingOp
        Operators that wait, in order; some may move elements.
    """

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    scale: NDArray[np.float32]
    error: NDArray[np.float64]
    order: NDArray[np.int64]
    bipolar: bool = False
    values: NDArray[np.float32] | None = None
    ops: tuple[PendingOp, ...] = ()

    @classmethod
    def of(
        cls, element: Element, channels: int, scale: np.float32, order: NDArray[np.int64]
    ) -> PendingOps:
        """Begin with an integer tensor; ``scale`` is what one integer counts for."""
        return cls(
            low=np.full(channels, element.low, np.int64),
            high=np.full(channels, element.high, np.int64),
            scale=np.full(channels, scale, np.float32),
            error=np.zeros(channels),
            order=order,
            bipolar=element.bipolar,
        )

    @property
    def channels(self) -> int:
        """C."""
        return len(self.low)

    def then(self, node: NodeProto, model: Model, *, vectors: bool = False) -> PendingOps:
        """Let an elementwise operator wait.

        Parameters
        ----------
        vectors : bool
            Constants ``(C,)`` are by channel; others broadcast as NumPy's arrays do.

        Raises
        ------
        UnsupportedModel
            If a constant differs from pixel to pixel.
        """
        _check_constants(node, self, model, vectors)
        return replace(self, ops=(*self.ops, PendingOp(node, self.order)))

    def moved(self, node: NodeProto, order: NDArray[np.int64]) -> PendingOps:
        """Let an operator wait that moves elements."""
        return replace(self, order=order, ops=(*self.ops, PendingOp(node, self.order, moves=True)))

    def bridged(
        self, node: NodeProto, order: NDArray[np.int64], *, moved: bool = False
    ) -> PendingOps:
        """Go on behind a layer that moves pixels and leaves values alone.

        Operators that wait are linked over it, since they are executed without it.

        Parameters
        ----------
        moved : bool
            The waiting operators are applied behind the layer too, so they see its pixels.
        """
        if not self.ops:
            return replace(self, order=order)
        if moved and any(waiting.moves for waiting in self.ops):
            raise UnsupportedModel(
                f"{node.name}: comes after a reshape without an activation; put the activation "
                "before the reshape"
            )
        bridge = helper.make_node("Identity", node.input[:1], node.output[:1], node.name)
        ops = [replace(waiting, order=order) for waiting in self.ops] if moved else self.ops
        return replace(self, order=order, ops=(*ops, PendingOp(bridge, order)))

    def domain(self) -> NDArray[np.int64]:
        """Every integer of any channel, ascending; bits are −1 and +1 only."""
        if self.bipolar:
            return np.array([-1, 1], np.int64)
        return np.arange(self.low.min(), self.high.max() + 1, dtype=np.int64)

    def inside(self) -> NDArray[np.bool_]:
        """Which of the domain's integers a channel takes, ``(R, C)``."""
        domain = self.domain()[:, None]
        return (domain >= self.low) & (domain <= self.high)

    def entry(self, offset: float = 0.0, rows: slice = slice(None)) -> NDArray[np.float32]:
        """The model's values before the operators, ``(R, C)``, moved by a part of `error`."""
        if self.values is not None:
            return np.repeat(self.values[rows, None], self.channels, axis=1)
        moved = self.domain()[rows, None] + offset * self.error
        return (moved * self.scale.astype(np.float64)).astype(np.float32)

    def table(self, model: Model, offset: float = 0.0) -> NDArray[np.float32]:
        """The model's values after the operators, ``(R, C)``, by executing them."""
        return self.apply(self.entry(offset), self.ops, model)

    def same_in_every_channel(self, model: Model) -> bool:
        """Whether the operators make the same of an integer in every channel."""
        constants = (model.constants.get(name) for op in self.ops for name in op.node.input)
        scalar = all(one is None or np.size(one) == 1 for one in constants)
        return scalar and not self.error.any() and bool((self.scale == self.scale[0]).all())

    def one_channel(self) -> PendingOps:
        """One channel that takes all integers of any, where `same_in_every_channel`."""
        low, high = self.low.min(keepdims=True), self.high.max(keepdims=True)
        order = np.zeros((0,) * self.order.ndim, np.int64)  # in no stream: constants are scalars
        ops = tuple(replace(op, order=np.zeros((0,) * op.order.ndim, np.int64)) for op in self.ops)
        scale, error = self.scale[:1], self.error[:1]
        return replace(self, low=low, high=high, scale=scale, error=error, order=order, ops=ops)

    def rows(
        self, model: Model, offset: float = 0.0
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """The domain and the table, some rows ``(r,)``, ``(r, C)`` at a time: it may be large."""
        evaluate = _evaluator(self.ops, self.channels, model)
        domain = self.domain()
        step = max(1, CHUNK // self.channels)
        for start in range(0, len(domain), step):
            rows = slice(start, start + step)
            yield domain[rows], evaluate(self.entry(offset, rows))

    def apply(
        self, values: NDArray[np.float32], ops: Sequence[PendingOp], model: Model
    ) -> NDArray[np.float32]:
        """Execute elementwise operators on values ``(R, C)``, channel by channel."""
        return _evaluator(ops, self.channels, model)(values)


def aligned(order: NDArray[np.int64], channels: int) -> bool:
    """Whether axis 1 of the model's tensor is the stream's channel."""
    if order.shape[0] != channels:
        return False
    channel = order.reshape(channels, -1) % channels
    return bool((channel == np.arange(channels)[:, None]).all())


def canonical(shape: tuple[int, int, int]) -> NDArray[np.int64]:
    """Order of a tensor (C, H, W) whose stream is (H, W, C)."""
    height, width, channels = shape
    stream = np.arange(height * width * channels, dtype=np.int64)
    return stream.reshape(height, width, channels).transpose(2, 0, 1)


def power_of_two(values: NDArray[np.float32] | np.float32) -> NDArray[np.bool_]:
    """Which values are powers of two, or those negated."""
    return np.asarray(np.frexp(np.abs(values))[0] == 0.5)


def _evaluator(
    ops: Sequence[PendingOp], channels: int, model: Model
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Make a function of values ``(R, C)`` of elementwise operators with reshapes among them."""
    parts = []
    for moves, group in groupby(ops, key=lambda op: op.moves):
        if not moves:
            run = list(group)
            nodes = [op.node for op in run]
            parts.append(_part(nodes, run[0].order, channels, model))

    def evaluate(values: Array) -> NDArray[np.float32]:
        for part in parts:
            values = part(values)
        return values.astype(np.float32, copy=False)

    return evaluate


def _part(
    nodes: Sequence[NodeProto], order: NDArray[np.int64], channels: int, model: Model
) -> Callable[[Array], Array]:
    feed, output = _activation(nodes[0], model), nodes[-1].output[0]
    constants: Mapping[str, Array] = model.constants
    by_channel = aligned(order, channels)
    if not by_channel:  # constants are scalars then: any shape will do
        constants = {
            name: np.asarray(value).reshape(()) if np.size(value) == 1 else value
            for name, value in constants.items()
        }
    ones = [1] * (order.ndim - 1)
    programs: dict[np.dtype[Any], Callable[[Mapping[str, Array]], Array]] = {}

    def run(values: Array) -> Array:
        feeds = {feed: values.reshape(-1, channels if by_channel else 1, *ones)}
        if values.dtype not in programs:  # of numbers, or of truth values
            programs[values.dtype] = execute.program(nodes, feeds, output, constants, model.opset)
        with np.errstate(all="ignore"):
            result = programs[values.dtype](feeds)
        if result.size != values.size:
            raise UnsupportedModel(
                f"{nodes[-1].name}: the operators from {nodes[0].name} on do not act on each "
                "element by itself; only elementwise operators by channel are supported between "
                "layers"
            )
        if not np.isfinite(result.astype(np.float64)).all():
            raise UnsupportedModel(
                f"{nodes[-1].name}: the operators from {nodes[0].name} on give values that are not "
                "finite; look for zero variances or divisions by zero"
            )
        return result.reshape(values.shape)

    return run


def _activation(node: NodeProto, model: Model) -> str:
    """Name of the one input of a node that is computed from the data."""
    return model.computed(node)[0]


def _check_constants(node: NodeProto, pending: PendingOps, model: Model, vectors: bool) -> None:
    """Refuse constants that differ from pixel to pixel."""
    place = aligned(pending.order, pending.channels)
    for name in node.input:
        if name not in model.constants:
            continue
        constant = np.asarray(model.constants[name])
        if constant.size == 1:
            continue
        if vectors:
            shape: tuple[int, ...] = (1, constant.size) + (1,) * (pending.order.ndim - 1)
        else:
            shape = (1,) * (pending.order.ndim + 1 - constant.ndim) + constant.shape
        by_channel = len(shape) > 1 and shape[1] == constant.size == pending.channels
        if not (place and by_channel):
            raise UnsupportedModel(
                f"{node.name}: the constant {name!r} of shape {constant.shape} is neither one "
                f"value nor one for each of {pending.channels} channels; constants by pixel are "
                "not supported"
            )
