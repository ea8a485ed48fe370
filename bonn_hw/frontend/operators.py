# SPDX-License-Identifier: BSD-3-Clause
"""The supported operators of the model file, by what they do to a stream of values."""

from __future__ import annotations

from typing import Any

import onnx
from onnx import NodeProto

from bonn_hw.errors import Refused

QUANTISERS = frozenset({"BipolarQuant", "Quant", "IntQuant"})

ELEMENTWISE = QUANTISERS | frozenset(
    "Abs Add BatchNormalization Cast Ceil Clip Div Elu Equal Erf Exp Floor Greater "
    "GreaterOrEqual HardSigmoid HardSwish Identity LeakyRelu Less LessOrEqual Log Max Min Mul Neg "
    "Not PRelu Pow Reciprocal Relu Round Selu Sigmoid Sign Softplus Softsign Sqrt Sub Tanh "
    "ThresholdedRelu Where".split()
)
"""Work on every element alone, with constants as their other operands."""

LAYOUT = frozenset({"Reshape", "Transpose"})  # Flatten and its kin have become Reshape
RESHAPING = frozenset({"Flatten", "Reshape", "Squeeze", "Unsqueeze"})
MATRIX = frozenset({"Conv", "Gemm", "MatMul"})
POOLS = frozenset({"GlobalMaxPool", "MaxPool"})
HOST_ONLY = frozenset({"LogSoftmax", "Softmax"})  # behind the last layer
CONSTANT_ONLY = frozenset(
    "Concat Constant ConstantOfShape Dropout Expand Gather Shape Slice Size".split()
)
"""Fold away where old exporters compute shapes; on activations they are refused."""

SUPPORTED = (
    ELEMENTWISE | LAYOUT | RESHAPING | MATRIX | POOLS | HOST_ONLY | CONSTANT_ONLY | {"Pad"}
)

DOMAINS = frozenset(
    {
        "",
        "ai.onnx",
        "qonnx.custom_op.general",
        "onnx.brevitas",  # Brevitas before 0.10
        "finn.custom_op.general",  # FINN and qonnx before their separation
    }
)

REMEDIES = {
    "AveragePool": "use a MaxPool or a strided Conv",
    "GlobalAveragePool": "use a MaxPool or flatten in front of the last matrix layer",
    "ReduceMean": "use a MaxPool or flatten in front of the last matrix layer",
    "ConvTranspose": "use a Conv",
    "Trunc": "use a MaxPool in the place of the average pool that it stems from",
    "MultiThreshold": "give the model as exported, before FINN's ConvertQONNXtoFINN",
    "TopK": "end the model with the class scores; the host sorts them",
    "ArgMax": "end the model with the class scores; the host sorts them",
}


def layer(node: NodeProto) -> str:
    """Name a node in a message."""
    return f"layer {node.name!r} ({node.op_type})"


def refuse(node: NodeProto, reason: str, remedy: str) -> Refused:
    """Make the error for a node; its text names the layer, the reason and the remedy."""
    return Refused(f"{layer(node)}: {reason}; {remedy}")


def unsupported(node: NodeProto) -> Refused:
    """Make the error for an operator outside of the supported set."""
    remedy = REMEDIES.get(
        node.op_type,
        "build the model from Conv, MatMul, Gemm, MaxPool, Pad, BatchNormalization and elementwise "
        "operators, in a chain",
    )
    return refuse(node, "the operator is not supported", remedy)


def attributes(node: NodeProto) -> dict[str, Any]:
    """Return the attributes of a node as Python values."""
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def spatial(node: NodeProto, name: str, count: int, default: int, least: int) -> tuple[int, ...]:
    """Return a list attribute of ``count`` integers, each at least ``least``."""
    values = tuple(attributes(node).get(name, (default,) * count))
    if len(values) != count or any(not isinstance(v, int) or v < least for v in values):
        raise refuse(
            node,
            f"{name} must be {count} integers from {least}, not {list(values)}",
            "use a two-dimensional layer",
        )
    return values
