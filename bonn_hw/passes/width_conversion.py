# SPDX-License-Identifier: BSD-3-Clause
"""Insert width converters where the two ends of a tensor have different lanes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import lcm

from bonn_hw.ir.design import FoldedDesign, Stage
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.graph import DataflowGraph, Node
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.tensor import TensorType
from bonn_hw.kernels.width_converter import WidthConverter


def conversions(kind: TensorType, given: int, wanted: int) -> tuple[Folding, ...] | None:
    """Foldings of the converters between two lane counts; None if the frame does not allow them.

    Where neither divides the other, the way leads over their least common multiple: over their
    greatest common divisor it would be smaller, but slower than both ends.
    """
    if given == wanted:
        return ()
    between = lcm(given, wanted)
    if kind.size % between:
        return None
    if between in (given, wanted):
        return (Folding(wanted, given),)
    return (Folding(between, given), Folding(wanted, between))


def conversion_resources(kind: TensorType, given: int, wanted: int) -> Resources | None:
    """Predict what the converters between two lane counts use; None if there are none."""
    steps = conversions(kind, given, wanted)
    if steps is None:
        return None
    return sum((WidthConverter(kind).resources(step) for step in steps), Resources())


def insert_width_converters(graph: DataflowGraph, foldings: Mapping[str, Folding]) -> FoldedDesign:
    """Fold every node and make the lanes of every tensor agree."""
    tensors = dict(graph.tensors)
    given: dict[str, int] = {}
    stages: list[Stage] = []
    made = 0
    for node in graph.nodes:
        folding = foldings[node.name]
        wanted, gives = node.kernel.lanes(folding)
        inputs = []
        for name in node.inputs:
            kind = tensors[name]
            steps = conversions(kind, given.get(name, wanted), wanted)
            if steps is None:
                raise ValueError(f"{node.name}: no converter from {given[name]} to {wanted} lanes")
            for step in steps:
                kernel = WidthConverter(kind)
                fresh = f"{name}_x{step.pe}"
                tensors[fresh] = kind
                converter = Node(f"{kernel.stem}_{made}", kernel, (name,), (fresh,), node.origin)
                stages.append(Stage(converter, step))
                name = fresh
                made += 1
            inputs.append(name)
        stages.append(Stage(replace(node, inputs=tuple(inputs)), folding))
        given.update(dict.fromkeys(node.outputs, gives))
    nodes = tuple(stage.node for stage in stages)
    folded = DataflowGraph(nodes, tensors, graph.input, graph.output)
    return FoldedDesign(folded, tuple(stages)).check()
