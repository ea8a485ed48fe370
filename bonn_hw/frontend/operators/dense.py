# SPDX-License-Identifier: BSD-3-Clause
"""MatMul and Gemm: a matrix layer over a vector."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from onnx import NodeProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.attributes import flag, number
from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.graph_builder import Matrix
from bonn_hw.frontend.model import Model
from bonn_hw.frontend.operator import Kind, Operator
from bonn_hw.frontend.pending_ops import canonical, last
from bonn_hw.frontend.weights import Weights, bias, constant_weights, quantised
from bonn_hw.frontend.windows import both


def dense(branch: Branch, node: NodeProto) -> None:
    """Lower a product; the weights are permuted to the order of the stream."""
    weights = _weights(node, branch.model)
    branch.materialise(node)
    order = branch.pending.order
    if order.ndim != 1:
        _over_pixels(branch, node, weights)
        return
    streamed = np.empty_like(weights.values)
    streamed[:, order] = weights.values
    high = len(streamed)
    none = (np.zeros((1, high), np.int64), (0,), (0,))
    matrix = Matrix((1, 1), branch.builder.kind.element, streamed, *none, origin=node.name)
    neurons = np.arange(high, dtype=np.int64)
    given = weights.values if flag(node, "transB", False) else weights.values.T
    branch.add_matrix(node, matrix, weights, given, neurons, bias(node, branch.model))


def _over_pixels(branch: Branch, node: NodeProto, weights: Weights) -> None:
    """A product over the last axis, which is the channel: a convolution of one pixel."""
    order, channels, high = branch.pending.order, branch.pending.channels, len(weights.values)
    *pixels, _ = order.shape
    frame = both(tuple(pixels), 1, "an input") if len(pixels) < 3 else (0, 0)
    if not np.array_equal(last(canonical((*frame, channels), order.ndim)), order):
        raise UnsupportedModel(
            f"{node.name}: multiplies a tensor of {order.ndim + 1} axes whose last one is not the "
            "channel; flatten it before"
        )
    none = (np.zeros((1, high), np.int64), (0,) * frame[0], (0,) * frame[1])
    element = branch.builder.framed(frame).element
    matrix = Matrix(frame, element, weights.values, *none, origin=node.name)
    after = last(canonical((*frame, high), order.ndim))
    branch.add_matrix(node, matrix, weights, weights.values.T, after, None)


def _weights(node: NodeProto, model: Model) -> Weights:
    """Read the weights ``(MH, MW)``, alpha included."""
    if [name in model.constants for name in node.input[:2]] != [False, True]:
        raise UnsupportedModel(
            f"{node.name}: the weights must be the right operand of {node.op_type}"
        )
    values = constant_weights(node, model)
    if values.ndim != 2:
        raise UnsupportedModel(f"{node.name}: weights of shape {values.shape} are not a matrix")
    if flag(node, "transA", False):
        raise UnsupportedModel(f"{node.name}: transA is not supported; keep the batch axis first")
    weights = quantised(node, values if flag(node, "transB", False) else values.T, model)
    alpha = np.float32(number(node, "alpha", 1.0))
    return replace(weights, alpha=alpha)


OPERATORS = (
    Operator(
        ("MatMul", "Gemm"),
        Kind.MATRIX,
        "of a vector (flatten images before), or of each pixel where the channels are the last "
        "axis, and constant weights on the right; weights and inputs as of a convolution",
        dense,
    ),
)
