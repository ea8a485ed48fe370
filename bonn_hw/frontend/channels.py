# SPDX-License-Identifier: BSD-3-Clause
"""Channels of a branch that are selected or shuffled, with the scale of each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.pending_ops import PendingOps, canonical, channel_axis
from bonn_hw.ir.tensor import TensorType


def settle(branch: Branch, node: NodeProto, remedy: str) -> None:
    """Leave no operator pending, because a constant per channel would apply to other channels.

    Sums of a matrix layer stay sums, also with a scale for each channel. Channels that were
    shuffled (Reshape, Transpose, Reshape) get the order of the model's tensor.
    """
    pending = branch.pending
    if all(op.moves for op in pending.ops) and branch.in_layout():
        branch.emit_sums()
        branch.pending = replace(pending, ops=())
    else:
        branch.materialise(node, remedy=remedy)
    index = permutation(branch.pending.order, branch.pending.channels)
    if index is not None:
        _copy(branch, index, node)
        order = branch.pending.order[np.argsort(index)]
        branch.pending = _picked(branch.pending, index, order)


def flatten(branch: Branch) -> None:
    """See the elements of a settled branch as the channels of one pixel."""
    pending = branch.pending
    every = np.arange(pending.order.size) % pending.channels
    branch.builder.kind = branch.builder.framed((1, 1))
    branch.pending = _picked(pending, every, pending.order)


def select(branch: Branch, node: NodeProto, index: NDArray[np.int64], remedy: str) -> None:
    """Keep some channels, in the order of ``index``; an axis of the tensor is the channel.

    Of a matrix layer without an activation, only these neurons are computed.
    """
    pending, matrix = branch.pending, branch.matrix
    free = matrix is not None and not (matrix.pools or matrix.depthwise or pending.ops)
    if not free:
        settle(branch, node, remedy)
        pending = branch.pending
    axis = channel_axis(pending.order, pending.channels)
    if axis is None:
        raise ValueError(f"{node.name}: its tensor has no axis of channels")
    pixels = np.take(pending.order, [0], axis) // pending.channels
    shape = [1] * pending.order.ndim
    shape[axis] = index.size
    order = pixels * index.size + np.arange(index.size, dtype=np.int64).reshape(shape)
    if free and matrix is not None:
        branch.matrix = matrix.computed().selected(index)
        branch.sums = (node.output[0], order)
    else:
        _copy(branch, index, node)
    branch.pending = _picked(pending, index, order)


def framed(branch: Branch) -> TensorType:
    """The stream of a branch as pixels of as many channels as the branch has."""
    kind, channels = branch.builder.kind, branch.pending.channels
    return kind if kind.shape[2] == channels else branch.builder.framed((kind.size // channels, 1))


def permutation(order: NDArray[np.int64], channels: int) -> NDArray[np.int64] | None:
    """The channel of the stream at each channel of an image, if they were shuffled.

    None if the image is in the stream's order, or in one that no permutation of channels gives.
    """
    if order.ndim not in (2, 3) or order.shape[0] != channels:
        return None
    index = order.reshape(channels, -1)[:, 0] % channels
    places = np.arange(channels)
    if np.array_equal(index, places) or not np.array_equal(np.sort(index), places):
        return None
    frame = (order.shape[1], order.shape[2] if order.ndim == 3 else 1, channels)
    return index if np.array_equal(order, canonical(frame, order.ndim)[index]) else None


def _copy(branch: Branch, index: NDArray[np.int64], node: NodeProto) -> None:
    branch.builder.kind = framed(branch)
    branch.builder.copy(index, node.name)


def _picked(pending: PendingOps, index: NDArray[np.intp], order: NDArray[np.int64]) -> PendingOps:
    return replace(
        pending,
        low=pending.low[index],
        high=pending.high[index],
        scale=pending.scale[index],
        error=pending.error[index],
        order=order,
    )
