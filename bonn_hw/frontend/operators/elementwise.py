# SPDX-License-Identifier: BSD-3-Clause
"""Elementwise operators: they wait, and are executed on every integer that can occur."""

from __future__ import annotations

from onnx import NodeProto

from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.operator import Kind, Operator


def elementwise(branch: Branch, node: NodeProto) -> None:
    """Let the operator wait for the quantiser behind it."""
    branch.pending = branch.pending.then(node, branch.model)


def batch_norm(branch: Branch, node: NodeProto) -> None:
    """Let it wait too; its constants ``(C,)`` are by channel whatever the rank of the tensor."""
    branch.pending = branch.pending.then(node, branch.model, vectors=True)


OPERATORS = (
    Operator(
        ("BatchNormalization",),
        Kind.ELEMENTWISE,
        "gamma of any sign, and zero; not behind a flattening of more than one pixel",
        batch_norm,
    ),
    Operator(
        (
            *("Abs", "Cast", "Ceil", "Clip", "Div", "Dropout", "Elu", "Exp"),
            *("Floor", "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish", "Identity"),
            *("LeakyRelu", "Less", "LessOrEqual", "Max", "Min", "Mul", "Neg", "Not", "PRelu"),
            *("Pow", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign"),
            *("Softplus", "Softsign", "Sqrt", "Sub", "Tanh", "ThresholdedRelu", "Where"),
        ),
        Kind.ELEMENTWISE,
        "in any order, with constants for all or by channel. Before a bipolar quantiser they must "
        "rise or fall throughout; before one of several bits they may do anything. Before the "
        "first quantiser and after the last layer they run on the host, in float32",
        elementwise,
    ),
)
