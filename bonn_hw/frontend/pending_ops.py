# SPDX-License-Identifier: BSD-3-Clause
"""Integers between two kernels, and the pending operators: those that are not applied yet.

For example, batch norm and sign after a matrix layer are pending until the sign is reached. Then
ONNX Runtime executes them, exactly as they are in the model, on every possible sum; the results
give the thresholds. No operator is simplified or merged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend import composites, execute
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.model import Model
from bonn_hw.ir.tensor import Element

LARGEST_RANGE = 1 << 26  # integers that operators are evaluated for
CHUNK = 1 << 18  # values per evaluation, few enough for the processor's cache


@dataclass(frozen=True, eq=False)
class PendingOp:
    """An operator that is not applied yet.

    Attributes
    ----------
    order : int64
        Order of its input tensor (see `PendingOps`).
    moves : bool
        Whether it only moves elements and keeps their values.
    """

    node: NodeProto
    order: NDArray[np.int64]
    moves: bool = False

    @property
    def output(self) -> str:
        """Name of its output tensor."""
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
        An integer n stands for ``scale * n`` in the model, before the first operator.
    error : float64 ``(C,)``
        Usual bound of the rounding error of a float sum in PyTorch or ONNX Runtime, in integers
        (see `reference`). The sums here are exact.
    order : int64, shape of the model's tensor without the batch axis
        Index of each element in the stream ``(H, W, C)``.
    ops : tuple of PendingOp
        Pending operators, in order; some may move elements.
    """

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    scale: NDArray[np.float32]
    error: NDArray[np.float64]
    order: NDArray[np.int64]
    bipolar: bool = False
    ops: tuple[PendingOp, ...] = ()

    @classmethod
    def of(
        cls, element: Element, channels: int, scale: np.float32, order: NDArray[np.int64]
    ) -> PendingOps:
        """Start with an integer tensor: an integer n stands for ``scale * n``."""
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
        """Number of channels C."""
        return len(self.low)

    def then(self, node: NodeProto, model: Model, *, vectors: bool = False) -> PendingOps:
        """Append an elementwise operator.

        Parameters
        ----------
        vectors : bool
            Whether constants ``(C,)`` are per channel; otherwise they broadcast as in NumPy.

        Raises
        ------
        UnsupportedModel
            If a constant differs between pixels.
        """
        _check_constants(node, self, model, vectors)
        return replace(self, ops=(*self.ops, PendingOp(node, self.order)))

    def moved(self, node: NodeProto, order: NDArray[np.int64]) -> PendingOps:
        """Append an operator that moves elements."""
        return replace(self, order=order, ops=(*self.ops, PendingOp(node, self.order, moves=True)))

    def past_layer(
        self, node: NodeProto, order: NDArray[np.int64], *, moved: bool = False
    ) -> PendingOps:
        """Continue after a layer that moves pixels and keeps their values, such as Pad or MaxPool.

        An Identity takes the place of the layer among the pending operators, so that the tensor
        names still match when they are executed without the layer.

        Parameters
        ----------
        moved : bool
            Whether the pending operators are applied after the layer, to its output pixels.
        """
        if not self.ops:
            return replace(self, order=order)
        identity = helper.make_node("Identity", node.input[:1], node.output[:1], node.name)
        ops = self.ops
        if moved:
            ops = tuple(replace(op, order=self._after(node, op.order, order)) for op in ops)
        return replace(self, order=order, ops=(*ops, PendingOp(identity, order)))

    def _after(
        self, node: NodeProto, before: NDArray[np.int64], order: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Order of an earlier tensor, if the layer's pixels were moved already there."""
        for axes in permutations(range(order.ndim)):
            if np.array_equal(before, self.order.transpose(axes)):
                return order.transpose(axes)
        raise UnsupportedModel(
            f"{node.name}: comes after a reshape without an activation; put the activation "
            "before the reshape"
        )

    def in_order(self, model: Model) -> bool:
        """Whether no operator was moved past a layer such as MaxPool."""
        kinds = {node.name: node.op_type for node in model.nodes}
        return all(
            op.node.op_type != "Identity" or kinds.get(op.node.name) == "Identity"
            for op in self.ops
        )

    def domain(self) -> NDArray[np.int64]:
        """All possible integers ``(R,)``, over all channels, ascending; for bits −1 and +1."""
        if self.bipolar:
            return np.array([-1, 1], np.int64)
        low, high = int(self.low.min()), int(self.high.max())
        if high - low >= LARGEST_RANGE:
            name = self.ops[-1].node.name if self.ops else "the model"
            raise UnsupportedModel(
                f"{name}: the sums before it take {high - low + 1} values, and it is evaluated for "
                f"each; at most {LARGEST_RANGE} are supported: use fewer bits or fewer inputs"
            )
        return np.arange(low, high + 1, dtype=np.int64)

    def inside(self) -> NDArray[np.bool_]:
        """Which integers of the domain are possible in each channel, ``(R, C)``."""
        domain = self.domain()[:, None]
        return (domain >= self.low) & (domain <= self.high)

    def entry(self, offset: float = 0.0, rows: slice = slice(None)) -> NDArray[np.float32]:
        """The model's values before the operators, ``(R, C)``, shifted by ``offset * error``."""
        shifted = self.domain()[rows, None] + offset * self.error
        return (shifted * self.scale.astype(np.float64)).astype(np.float32)

    def table(self, model: Model, offset: float = 0.0) -> NDArray[np.float32]:
        """Execute the operators on all integers: the model's values after them, ``(R, C)``."""
        return self.apply(self.entry(offset), self.ops, model)

    def same_in_every_channel(self, model: Model) -> bool:
        """Whether the operators map an integer to the same value in every channel."""
        constants = (model.constants.get(name) for op in self.ops for name in op.node.input)
        scalar = all(one is None or np.size(one) == 1 for one in constants)
        scalar = scalar and all(composites.rows(op.node) == 1 for op in self.ops)
        return scalar and not self.error.any() and bool((self.scale == self.scale[0]).all())

    def one_channel(self) -> PendingOps:
        """One channel with the integers of all channels; only if `same_in_every_channel`."""
        low, high = self.low.min(keepdims=True), self.high.max(keepdims=True)
        order = np.zeros((0,) * self.order.ndim, np.int64)  # empty: constants are scalars
        ops = tuple(replace(op, order=np.zeros((0,) * op.order.ndim, np.int64)) for op in self.ops)
        scale, error = self.scale[:1], self.error[:1]
        return replace(self, low=low, high=high, scale=scale, error=error, order=order, ops=ops)

    def rows(
        self, model: Model, offset: float = 0.0
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """The domain and the table in parts ``(r,)``, ``(r, C)``, since the table may be large."""
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


def channel_axis(order: NDArray[np.int64], channels: int) -> int | None:
    """The axis of the model's tensor, without the batch axis, that is the channel of the stream.

    It is the first in the usual layout and the last in channels-last ones; None if there is none.
    """
    for axis in range(order.ndim):
        if order.shape[axis] == channels:
            channel = np.moveaxis(order, axis, 0).reshape(channels, -1) % channels
            if (channel == np.arange(channels)[:, None]).all():
                return axis
    return None


def along(axis: int, axes: int) -> list[int]:
    """Shape that puts a value per channel on one of ``axes`` axes, as in ``values.reshape``."""
    return [-1 if place == axis else 1 for place in range(axes)]


def last(order: NDArray[np.int64]) -> NDArray[np.int64]:
    """The order of the tensor with its channels, the first axis, moved to the last."""
    return np.moveaxis(order, 0, -1)


def canonical(shape: tuple[int, int, int], axes: int = 3) -> NDArray[np.int64]:
    """Order of a tensor (C, H, W) whose stream is (H, W, C): element (c, y, x) has the index
    ``(y * W + x) * C + c``. With two axes, of a tensor (C, L), whose stream is (L, 1, C)."""
    height, width, channels = shape
    stream = np.arange(height * width * channels, dtype=np.int64)
    image = stream.reshape(height, width, channels).transpose(2, 0, 1)
    return image if axes == 3 else image.reshape(channels, height)


def _evaluator(
    ops: Sequence[PendingOp], channels: int, model: Model
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Make a function of values ``(R, C)`` from elementwise operators; reshapes are skipped."""
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
    axis = channel_axis(order, channels)
    if axis is None:  # constants are scalars then, so the shape does not matter
        constants = {
            name: np.asarray(value).reshape(()) if np.size(value) == 1 else value
            for name, value in constants.items()
        }
    shape = [-1] + [1] * order.ndim
    if axis is not None:
        shape[1 + axis] = channels
    programs: dict[np.dtype[Any], Callable[[Mapping[str, Array]], Array]] = {}

    def run(values: Array) -> Array:
        feeds = {feed: values.reshape(shape)}
        if values.dtype not in programs:  # numbers or booleans
            programs[values.dtype] = execute.program(nodes, feeds, output, constants, model.opset)
        with np.errstate(all="ignore"):
            result = programs[values.dtype](feeds)
        if result.size != values.size:
            raise UnsupportedModel(
                f"{nodes[-1].name}: the operators from {nodes[0].name} on do not act on each "
                "element separately; only elementwise operators, with constants per channel, are "
                "supported between layers"
            )
        if not np.isfinite(result.astype(np.float64)).all():
            raise UnsupportedModel(
                f"{nodes[-1].name}: the operators from {nodes[0].name} on return values that are "
                "not finite; look for zero variances or divisions by zero"
            )
        return result.reshape(values.shape)

    return run


def _activation(node: NodeProto, model: Model) -> str:
    """Name of the one input of a node that is computed from the data."""
    return model.computed(node)[0]


def _check_constants(node: NodeProto, pending: PendingOps, model: Model, vectors: bool) -> None:
    """Refuse constants that differ from pixel to pixel."""
    axis = channel_axis(pending.order, pending.channels)
    rows = composites.rows(node)
    if rows > 1 and (axis != 0 or rows != pending.channels):
        raise UnsupportedModel(
            f"{node.name}: its thresholds by channel belong to axis 1 of a tensor that was "
            "transposed or reshaped; only thresholds for all channels are supported there"
        )
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
        place = 0 if axis is None else 1 + axis
        by_channel = len(shape) > place and shape[place] == constant.size == pending.channels
        if axis is None or not by_channel:
            raise UnsupportedModel(
                f"{node.name}: the constant {name!r} of shape {constant.shape} is neither one "
                f"value nor one for each of {pending.channels} channels; constants per pixel "
                "are not supported"
            )
