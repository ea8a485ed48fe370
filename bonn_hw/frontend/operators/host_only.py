# SPDX-License-Identifier: BSD-3-Clause
"""Operators that the host runs: none of them ever becomes hardware."""

from bonn_hw.frontend.operator import Kind, Operator

OPERATORS = (
    Operator(("ReduceSum",), Kind.HEAD, "before the input's quantiser, on the host"),
    Operator(("Softmax", "LogSoftmax"), Kind.TAIL, "behind the last layer, on the host"),
)
