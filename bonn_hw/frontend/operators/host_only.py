# SPDX-License-Identifier: BSD-3-Clause
"""Operators that only the host runs; they have no hardware."""

from bonn_hw.frontend.operator import Kind, Operator

OPERATORS = (
    Operator(("ReduceSum",), Kind.HEAD, "before the input's quantiser, on the host"),
    Operator(("Softmax", "LogSoftmax"), Kind.TAIL, "after the last layer, on the host"),
)
