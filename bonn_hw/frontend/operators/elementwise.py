# SPDX-License-Identifier: BSD-3-Clause
"""Elementwise operators: they stay pending, and are executed on every possible integer."""

from __future__ import annotations

from onnx import NodeProto

from bonn_hw.frontend import composites
from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.operator import Kind, Operator


def elementwise(branch: Branch, node: NodeProto) -> None:
    """Keep the operator pending until the next quantiser."""
    branch.pending = branch.pending.then(node, branch.model)


def batch_norm(branch: Branch, node: NodeProto) -> None:
    """The same; constants ``(C,)`` are per channel for tensors of any rank."""
    branch.pending = branch.pending.then(node, branch.model, vectors=True)


OPERATORS = (
    Operator(
        ("BatchNormalization",),
        Kind.ELEMENTWISE,
        "gamma of any sign, and zero; not after a flattening of more than one pixel",
        batch_norm,
    ),
    Operator(
        (
            *("Abs", "Cast", "Ceil", "Clip", "Div", "Dropout", "Elu", "Exp"),
            *("Floor", "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish", "Identity"),
            *("LeakyRelu", "Less", "LessOrEqual", "Neg", "Not", "PRelu"),
            *("Pow", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign"),
            *("Softplus", "Softsign", "Sqrt", "Tanh", "ThresholdedRelu", "Where"),
        ),
        Kind.ELEMENTWISE,
        "in any order, with constants for all channels or per channel. Where they rise and fall "
        "before a bipolar quantiser, the bits are looked up, as integers. Before the first "
        "quantiser and after the last layer they run on the host, in float32",
        elementwise,
    ),
    Operator(
        composites.NAMES,
        Kind.ELEMENTWISE,
        "roundings and thresholds that ONNX has no operator for",
        elementwise,
        internal=True,
    ),
)
