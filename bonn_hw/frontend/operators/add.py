# SPDX-License-Identifier: BSD-3-Clause
"""Add: two branches of a residual network become one; with a constant it is elementwise."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.broadcast import aligned
from bonn_hw.frontend.exact_sums import (
    LARGEST_SUM,
    ROUNDING,
    Nodes,
    largest_error,
    power_of_two,
)
from bonn_hw.frontend.operator import Kind, Operator
from bonn_hw.frontend.operators.elementwise import elementwise
from bonn_hw.frontend.pending_ops import PendingOps
from bonn_hw.kernels.add import Add

REMEDY = "quantise both branches with one constant power-of-two scale (QuantIdentity)"


def join(left: Branch, node: NodeProto, right: Branch) -> None:
    """Add another branch; both must be integers with the same scale."""
    for branch in (left, right):
        branch.materialise(node, remedy=REMEDY)
        branch.widen(node.name)
    kinds = aligned(node, "adds", left, right)
    check_scales(node, left, right)
    one, other = left.pending, right.pending
    left.builder.add(Add(*kinds), node.name, right.builder)
    low, high = one.low + other.low, one.high + other.high
    largest = np.maximum(np.abs(low), np.abs(high))
    scale = one.scale[0]
    whole = power_of_two(scale) & (largest <= LARGEST_SUM)
    # In float32 two products and a sum are rounded.
    left.pending = PendingOps(
        low, high, one.scale, np.where(whole, 0.0, 3 * largest * ROUNDING), one.order
    )
    if whole.all():
        return  # the reference adds as the file does
    parts = Nodes(node, left.model.opset)
    integers = [parts.integers(branch.tensor, scale) for branch in (left, right)]
    parts.scaled(parts.add("Add", *integers), one.scale, 1 + one.order.ndim)
    parts.end(node.output[0])
    bound = largest_error(6, largest * float(scale))
    left.context.parts.replace(node, parts, np.where(whole, 0.0, bound))


def check_scales(node: NodeProto, left: Branch, right: Branch, joint: str = "addition") -> None:
    """Raise UnsupportedModel if two branches have different scales."""
    one, other = left.pending.scale[0], right.pending.scale[0]
    if one != other:
        raise UnsupportedModel(
            f"{node.name}: its branches have different scales: {left.source} has multiples "
            f"of {one:g}, {right.source} of {other:g}; quantise both with "
            "one constant power-of-two scale, for example the same QuantIdentity before the "
            f"{joint}"
        )


OPERATORS = (
    Operator(
        ("Add",),
        Kind.JOIN,
        "of two branches whose values are integers of one scale: quantise both with one constant, "
        "best a power of two. Any tensor may feed several layers. With a constant it is "
        "elementwise",
        elementwise,
        join,
    ),
)
