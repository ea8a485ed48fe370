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


def conversions(kind: TensorType, before: int, after: int) -> tuple[Folding, ...] | None:
    """Foldings of the converters between two lane counts; None if the frame does not allow them.

    If neither count divides the other, two converters are needed. They meet at the least common
    multiple: 4 to 6 lanes goes by 12. The greatest common divisor would be smaller, but slower than
    both ends.
    """
    if before == after:
        return ()
    between = lcm(before, after)
    if kind.size % between:
        return None
    if between in (before, after):
        return (Folding(after, before),)
    return (Folding(between, before), Folding(after, between))


def conversion_resources(kind: TensorType, before: int, after: int) -> Resources | None:
    """Predict the resources of the converters between two lane counts; None if there are none."""
    steps = conversions(kind, before, after)
    if steps is None:
        return None
    return sum((WidthConverter(kind).resources(step) for step in steps), Resources())


def insert_width_converters(graph: DataflowGraph, foldings: Mapping[str, Folding]) -> FoldedDesign:
    """Fold every node, and insert converters where producer and consumer differ in lanes."""
    tensors = dict(graph.tensors)
    lanes: dict[str, int] = {}  # by tensor, at its producer
    stages: list[Stage] = []
    made = 0
    for node in graph.nodes:
        folding = foldings[node.name]
        _, output_lanes = node.kernel.lanes(folding)
        inputs = []
        for name, after in zip(node.inputs, node.kernel.input_lanes(folding), strict=True):
            kind = tensors[name]
            before = lanes.get(name, after)
            steps = conversions(kind, before, after)
            if steps is None:
                raise ValueError(f"{node.name}: no converter from {before} to {after} lanes")
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
        lanes.update(dict.fromkeys(node.outputs, output_lanes))
    nodes = tuple(stage.node for stage in stages)
    folded = DataflowGraph(nodes, tensors, graph.input, graph.output)
    return FoldedDesign(folded, tuple(stages)).check()
