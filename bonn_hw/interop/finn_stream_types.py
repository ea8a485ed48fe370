# SPDX-License-Identifier: BSD-3-Clause
"""FINN's data types of the tensors of a design."""

from __future__ import annotations

import re

import numpy as np

from bonn_hw.ir.graph import DataflowGraph, Node
from bonn_hw.ir.kernel import Passthrough
from bonn_hw.ir.tensor import Element
from bonn_hw.kernels.max_pool import MaxPool
from bonn_hw.kernels.multi_threshold import MultiThreshold
from bonn_hw.kernels.mvu import Mvu
from bonn_hw.kernels.pad import Pad
from bonn_hw.kernels.requantize import Requantize
from bonn_hw.kernels.sliding_window import SlidingWindow
from bonn_hw.kernels.stream_fork import StreamFork
from bonn_hw.kernels.threshold import Threshold

BITS, TERNARY = "BINARY", "INT2"
DECIDING = (Requantize, MultiThreshold, Threshold)


def stream_types(graph: DataflowGraph) -> dict[str, str]:
    """FINN's data type by tensor; bits that need the values -1 and +1 are of three values."""
    groups: dict[str, set[str]] = {graph.input: {graph.input}}
    for node in graph.nodes:
        for name in node.outputs:
            groups[name] = {name}
            if isinstance(node.kernel, Passthrough | MaxPool | Pad | SlidingWindow | StreamFork):
                groups[name] = groups[node.inputs[0]]
                groups[name].add(name)
    three: set[str] = set()
    for node in graph.nodes:
        if _needs_signs(node, graph):
            three |= groups[node.inputs[0]]
    kinds = {}
    for name in groups:
        element = graph.tensors[name].element
        if element.bipolar:
            kinds[name] = TERNARY if name in three else BITS
        else:
            kinds[name] = integer_type(element)
    return kinds


def integer_type(element: Element) -> str:
    """The name of an integer type."""
    return f"{'INT' if element.signed else 'UINT'}{element.bits}"


def width(kind: str) -> int:
    """The bits of a type."""
    found = re.fullmatch(r"U?INT(\d+)", kind)
    return int(found[1]) if found else 1


def _needs_signs(node: Node, graph: DataflowGraph) -> bool:
    """Whether FINN would compute something else with bits of 0 and 1 as a node's input."""
    if not isinstance(node.kernel, Mvu):
        return isinstance(node.kernel, DECIDING)
    several = not np.isin(node.kernel.weights, (-1, 1)).all()
    return several or node.kernel.classes > 1 or _added(node, graph)


def _added(node: Node, graph: DataflowGraph) -> bool:
    """Whether the sums of a matrix unit reach a layer that needs them as they are.

    Thresholds and the host take popcounts as well, and so do maxima in between.
    """
    if not isinstance(node.kernel, Mvu) or node.kernel.offsets is None:
        return False
    tensor = node.outputs[0]
    while tensor != graph.output:
        following = next(one for one in graph.nodes if tensor in one.inputs)
        if isinstance(following.kernel, DECIDING):
            return False
        if not isinstance(following.kernel, Passthrough | MaxPool):
            return True
        tensor = following.outputs[0]
    return False
