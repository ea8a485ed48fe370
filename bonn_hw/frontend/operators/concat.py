# SPDX-License-Identifier: BSD-3-Clause
"""Concat: the channels of two or more branches side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import NodeProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.attributes import integer
from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.channels import flatten, framed, settle
from bonn_hw.frontend.operator import Kind, Operator
from bonn_hw.frontend.pending_ops import PendingOps, channel_axis
from bonn_hw.kernels.concat import Concat

REMEDY = "quantise each branch before the concatenation, best with the same quantiser"


def lower(branch: Branch, node: NodeProto) -> None:
    """Refuse a concatenation that has one computed input."""
    raise UnsupportedModel(
        f"{node.name}: concatenates {branch.source} with constants; only branches that depend on "
        "the input are concatenated"
    )


def join(first: Branch, node: NodeProto, *others: Branch) -> None:
    """Put the channels of all branches side by side; each keeps its scales."""
    branches = (first, *others)
    for branch in branches:
        settle(branch, node, REMEDY)
    axis = _axis(node, branches)
    _as_bits_or_integers(node, branches)
    frame = framed(first).shape[:2]
    kinds = tuple(branch.builder.framed(frame) for branch in branches)
    first.builder.add(Concat(kinds), node.name, *(branch.builder for branch in others))
    each = [branch.pending for branch in branches]
    total, place, orders = sum(one.channels for one in each), 0, []
    for one in each:
        pixel, channel = np.divmod(one.order, one.channels)
        orders.append(pixel * total + place + channel)
        place += one.channels
    first.pending = PendingOps(
        np.concatenate([one.low for one in each]),
        np.concatenate([one.high for one in each]),
        np.concatenate([one.scale for one in each]),
        np.concatenate([one.error for one in each]),
        np.concatenate(orders, axis),
        first.pending.bipolar,
    )


def _axis(node: NodeProto, branches: Sequence[Branch]) -> int:
    """The axis, without the batch axis; it must be that of the channels, of the same pixels."""
    axes = 1 + branches[0].pending.order.ndim
    axis = integer(node, "axis", 1) % axes - 1
    if axes == 2 and axis == 0:
        if any(channel_axis(b.pending.order, b.pending.channels) is None for b in branches):
            for branch in branches:
                flatten(branch)
        return axis
    for branch in branches:
        if channel_axis(branch.pending.order, branch.pending.channels) != axis:
            raise UnsupportedModel(
                f"{node.name}: concatenates along axis {axis + 1}, which is not that of the "
                f"channels of {branch.source}; only channels are concatenated"
            )
    pixels = [np.take(b.pending.order, 0, axis) // b.pending.channels for b in branches]
    for branch, other in zip(branches, pixels, strict=True):
        if not np.array_equal(pixels[0], other):
            raise UnsupportedModel(
                f"{node.name}: concatenates {branches[0].source} and {branch.source}, whose pixels "
                "are in different orders; transpose or reshape neither or both"
            )
    return axis


def _as_bits_or_integers(node: NodeProto, branches: Sequence[Branch]) -> None:
    """Make integers of bits, unless all are bits of one scale."""
    bits = [branch.pending for branch in branches if branch.pending.bipolar]
    if len(bits) < len(branches) or len({float(one.scale[0]) for one in bits}) > 1:
        for branch in branches:
            branch.widen(node.name)


OPERATORS = (
    Operator(
        ("Concat",),
        Kind.JOIN,
        "of the channels of two or more branches whose values are bits, integers, or sums of a "
        "matrix layer. Their scales may differ if a quantiser follows, or if they are multiples of "
        "one; otherwise a layer that follows needs one scale: use the same quantiser for all. "
        "Behind the last matrix layer the host does it",
        lower,
        join,
        host_first=True,
    ),
)
