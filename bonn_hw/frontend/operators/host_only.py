# SPDX-License-Identifier: BSD-3-Clause
"""Operators that only the host runs; they have no hardware."""

from bonn_hw.frontend.operator import Kind, Operator

OPERATORS = (
    Operator(("ReduceSum",), Kind.HEAD, "before the input's quantiser, on the host"),
    Operator(
        (
            *("ArgMax", "ArgMin", "GlobalMaxPool", "LogSoftmax", "ReduceMax"),
            *("Softmax", "TopK"),
        ),
        Kind.TAIL,
        "behind the last matrix layer, on the host; so is every other operator of ONNX there that "
        "has no random values and no control flow",
    ),
)
