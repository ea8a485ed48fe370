# SPDX-License-Identifier: BSD-3-Clause
"""DepthToSpace and SpaceToDepth: blocks of pixels from channels, and channels from blocks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.attributes import Malformed, integer, text
from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.channels import settle
from bonn_hw.frontend.operator import Kind, Operator
from bonn_hw.frontend.pending_ops import PendingOps, canonical
from bonn_hw.frontend.windows import image_in_order
from bonn_hw.kernels.depth_to_space import DepthToSpace
from bonn_hw.kernels.sliding_window import SlidingWindow

REMEDY = "quantise before the channels become pixels, or the pixels channels"


def depth_to_space(branch: Branch, node: NodeProto) -> None:
    """Move channels to pixels; in mode CRD they are put in the order of the kernel before."""
    height, width, size = _begun(branch, node)
    channels = branch.pending.channels
    if channels % (size * size):
        raise Malformed(f"{channels} channels in blocks of {size}x{size}")
    rest = channels // (size * size)
    index = np.arange(channels)  # the channel of the file at each place: row, column, channel
    if text(node, "mode", "DCR") == "CRD":
        index = index.reshape(rest, size * size).T.reshape(-1)
    by_place = branch.pending.scale[index].reshape(-1, rest)
    if (by_place != by_place[0]).any():
        branch.materialise(node, remedy=REMEDY)  # to one scale, or refused
    frame = (height, width)
    branch.builder.kind = branch.builder.framed(frame)
    if not np.array_equal(index, np.arange(channels)):
        branch.builder.copy(index, node.name)
    if size > 1:
        branch.builder.add(DepthToSpace(branch.builder.kind, (size, size)), node.name)
    order = canonical((height * size, width * size, rest))
    branch.pending = _grouped(branch.pending, index.reshape(-1, rest), order)


def space_to_depth(branch: Branch, node: NodeProto) -> None:
    """Move pixels to channels: the windows of a block, side by side."""
    height, width, size = _begun(branch, node)
    if height % size or width % size:
        raise Malformed(f"blocks of {size}x{size} in a frame of {height}x{width}")
    frame = branch.builder.framed((height, width))
    if size > 1:
        branch.builder.add(SlidingWindow(frame, (size, size), (size, size)), node.name)
    channels = branch.pending.channels
    index = np.tile(np.arange(channels), size * size)[None]
    order = canonical((height // size, width // size, channels * size * size))
    branch.pending = _grouped(branch.pending, index, order)


def _begun(branch: Branch, node: NodeProto) -> tuple[int, int, int]:
    """Settle the branch; returns height, width and the size of a block."""
    if branch.pending.order.ndim != 3:
        raise UnsupportedModel(f"{node.name}: only images (channels, height, width) are supported")
    settle(branch, node, REMEDY)
    size = integer(node, "blocksize", 0)
    if size < 1:
        raise Malformed(f"blocks of {size}x{size}")
    return *image_in_order(branch, node), size


def _grouped(pending: PendingOps, index: NDArray[np.intp], order: NDArray[np.int64]) -> PendingOps:
    """Channels that are made of those of each column of ``index``."""
    return replace(
        pending,
        low=pending.low[index].min(axis=0),
        high=pending.high[index].max(axis=0),
        scale=pending.scale[index[0]],
        error=pending.error[index].max(axis=0),
        order=order,
    )


OPERATORS = (
    Operator(
        ("DepthToSpace",),
        Kind.LAYER,
        "of images, in both modes, of bits, integers, or sums of a matrix layer. Behind the last "
        "matrix layer the host does it",
        depth_to_space,
        host_first=True,
    ),
    Operator(
        ("SpaceToDepth",),
        Kind.LAYER,
        "of images, of bits, integers, or sums of a matrix layer",
        space_to_depth,
        host_first=True,
    ),
)
