# SPDX-License-Identifier: BSD-3-Clause
"""Integers between two kernels, and the pending operators: those that are not applied yet.

For example, batch norm and sign after a matrix layer are pending until the sign is reached. Then
ONNX Runtime executes them, exactly as they are in the model (see `steps`); the results give the
thresholds. No operator is simplified or merged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend import composites
from bonn_hw.frontend.model import Model
from bonn_hw.ir.tensor import Element

LARGEST_RANGE = 1 << 26  # integers that operators are evaluated for
LARGEST_WORK = 1 << 30  # integers of all channels; half a minute


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

    @property
    def grid(self) -> range:
        """All possible integers, over all channels, ascending; for bits -1 and +1.

        Raises
        ------
        UnsupportedModel
            If there are too many to evaluate operators for each.
        """
        if self.bipolar:
            return range(-1, 2, 2)
        low, high = int(self.low.min()), int(self.high.max())
        if high - low >= LARGEST_RANGE:
            raise UnsupportedModel(
                f"{self._last}: the sums before it take {high - low + 1} values, and it is "
                f"evaluated for each; at most {LARGEST_RANGE} are supported: use fewer bits or "
                "fewer inputs"
            )
        if (high - low + 1) * self.channels > LARGEST_WORK:
            raise UnsupportedModel(
                f"{self._last}: the sums before it take {high - low + 1} values in each of "
                f"{self.channels} channels, and it is evaluated for each; at most {LARGEST_WORK} "
                "evaluations are supported: use fewer bits, fewer inputs or fewer channels"
            )
        return range(low, high + 1)

    @property
    def _last(self) -> str:
        return self.ops[-1].node.name if self.ops else "the model"

    def entry(self, integers: NDArray[np.int64], offset: float = 0.0) -> NDArray[np.float32]:
        """The model's values before the operators, shifted by ``offset * error``.

        Parameters
        ----------
        integers : int64 ``(R, C)`` or ``(R, 1)``

        Returns
        -------
        float32 ``(R, C)``
        """
        shifted = integers + offset * self.error if offset and self.error.any() else integers
        return (shifted * self.scale.astype(np.float64)).astype(np.float32)

    def same_in_every_channel(self, model: Model) -> bool:
        """Whether the operators map an integer to the same value in every channel."""
        if self.channels == 1:  # its constants (1,) are vectors, as those of a batch norm
            return False
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
