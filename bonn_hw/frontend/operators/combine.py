# SPDX-License-Identifier: BSD-3-Clause
"""Difference, product, maximum, minimum of two branches; with a constant they are elementwise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from onnx import NodeProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.broadcast import aligned
from bonn_hw.frontend.exact_sums import LARGEST_SUM, ROUNDING, Nodes, largest_error, power_of_two
from bonn_hw.frontend.operator import Kind, Operator
from bonn_hw.frontend.operators.add import check_scales
from bonn_hw.frontend.operators.elementwise import elementwise
from bonn_hw.frontend.pending_ops import PendingOps
from bonn_hw.kernels.combine import Combine

FUNCTIONS = {"Sub": "subtract", "Mul": "multiply", "Max": "maximum", "Min": "minimum"}
VERBS = {"Sub": "subtracts", "Mul": "multiplies", "Max": "compares", "Min": "compares"}
NOUNS = {"Sub": "subtraction", "Max": "maximum", "Min": "minimum"}


def join(left: Branch, node: NodeProto, *others: Branch) -> None:
    """Combine branches of integers; all but products need one scale."""
    if len(node.input) != 1 + len(others):
        raise UnsupportedModel(
            f"{node.name}: a {node.op_type} of several branches and constants is not supported; "
            "write it as two operators"
        )
    for branch in (left, *others):
        branch.materialise(node, remedy="quantise both branches (QuantIdentity)")
        branch.widen(node.name)
    for other in others:
        _join(left, node, other)


def _join(left: Branch, node: NodeProto, right: Branch) -> None:
    kinds, product = aligned(node, VERBS[node.op_type], left, right), node.op_type == "Mul"
    one, other = left.pending, right.pending
    if not product:
        check_scales(node, left, right, NOUNS[node.op_type])
    kernel = Combine(*kinds, FUNCTIONS[node.op_type])
    left.builder.add(kernel, node.name, right.builder)
    element, scale = kernel.outputs[0].element, one.scale[0]
    largest = max(abs(element.low), abs(element.high))
    if product:
        scale = np.float32(scale * other.scale[0])
        if largest > LARGEST_SUM or not np.isfinite(scale) or scale < np.finfo(np.float32).tiny:
            raise UnsupportedModel(
                f"{node.name}: its products reach {largest} times {scale:g}, which float32 does "
                f"not hold exactly (integers up to {LARGEST_SUM}): quantise to fewer bits before"
            )
    left.pending = PendingOps.of(element, one.channels, scale, one.order)
    if node.op_type in ("Max", "Min"):
        return  # one of the operands, as it is
    error = _state(node, left, right, (one.scale[0], other.scale[0]), largest)
    left.pending = replace(left.pending, error=np.full(one.channels, error))


def _state(
    node: NodeProto,
    left: Branch,
    right: Branch,
    scales: tuple[np.float32, np.float32],
    largest: int,
) -> float:
    """Compute the results from integers in the reference, unless the file's own are exact.

    Returns the usual rounding error of the file's results, in integers.
    """
    if power_of_two(np.array(scales)).all() and largest <= LARGEST_SUM:
        return 0.0
    parts, scale = Nodes(node, left.model.opset), left.pending.scale
    integers = [
        parts.integers(branch.tensor, unit)
        for branch, unit in zip((left, right), scales, strict=True)
    ]
    parts.scaled(parts.add(node.op_type, *integers), scale, 1 + left.pending.order.ndim)
    parts.end(node.output[0])
    bound = largest_error(6, largest * float(scale[0]))
    left.context.parts.replace(node, parts, np.full(left.pending.channels, bound))
    return 3 * largest * ROUNDING


OPERATORS = (
    Operator(
        ("Sub", "Mul", "Max", "Min"),
        Kind.JOIN,
        "of two branches whose values are integers; all but products need one scale. One pixel is "
        "repeated over a frame, as in squeeze-and-excite, and one channel over all. With a "
        "constant they are elementwise",
        elementwise,
        join,
    ),
)
