# SPDX-License-Identifier: BSD-3-Clause
"""Insert FIFOs: deep enough that the design runs at the interval of its slowest stage."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace

from bonn_hw.ir.design import FoldedDesign, Folding, Stage
from bonn_hw.ir.graph import DataflowGraph, Node
from bonn_hw.kernels.fifo import Fifo
from bonn_hw.timing import model

DEEPEST = 1 << 16


def insert_fifos(design: FoldedDesign, depths: Sequence[int]) -> FoldedDesign:
    """Put a FIFO of ``depths[i]`` beats before stage ``i``; 0 puts none."""
    tensors = dict(design.graph.tensors)
    lanes = {stream.tensor: stream.lanes for stream in design.streams}
    stages: list[Stage] = []
    made = 0
    for stage, depth in zip(design.stages, depths, strict=True):
        if depth:
            (name,) = stage.node.inputs
            kernel, fresh = Fifo(tensors[name], depth), f"{name}_queued"
            tensors[fresh] = tensors[name]
            node = Node(f"{kernel.stem}_{made}", kernel, (name,), (fresh,), stage.node.origin)
            stages.append(Stage(node, Folding(lanes[name], lanes[name])))
            stage = replace(stage, node=replace(stage.node, inputs=(fresh,)))
            made += 1
        stages.append(stage)
    nodes = tuple(stage.node for stage in stages)
    graph = DataflowGraph(nodes, tensors, design.graph.input, design.graph.output)
    return FoldedDesign(graph, tuple(stages)).check()


def size_fifos(
    design: FoldedDesign, progress: Callable[[str], None] = lambda text: None
) -> FoldedDesign:
    """Find depths with the cycle model: one depth for all first, then each as small as it can be.

    No depth can be halved without slowing the design down. Where no depth reaches the bound, the
    interval of very deep FIFOs is kept instead.
    """
    schedules = [stage.node.kernel.schedule(stage.folding) for stage in design.stages]
    lanes = [stage.node.kernel.lanes(stage.folding)[0] for stage in design.stages]
    kinds = [design.graph.tensors[stage.node.inputs[0]] for stage in design.stages]
    queues = [
        Fifo(kind, depth=2).schedule(Folding(width, width))
        for kind, width in zip(kinds, lanes, strict=True)
    ]

    def interval(depths: Sequence[int]) -> int:
        chain = []
        for schedule, queue, depth in zip(schedules, queues, depths, strict=True):
            if depth:
                chain.append(replace(queue, capacity=depth))
            chain.append(schedule)
        for frames in (6, 16, 64):
            timing = model.run_schedules(chain, frames)
            if timing.steady:
                break
        return timing.interval

    # The first stage is fed by the outside: a queue there cannot help.
    streams = len(schedules) - 1
    target, common = design.bound, 0
    while (reached := interval([0] + [common] * streams)) > target and common < DEEPEST:
        common = max(2, 2 * common)
    target = max(target, reached)
    depths = [0] + [common] * streams
    dearest_first = sorted(
        range(1, streams + 1), key=lambda place: -lanes[place] * kinds[place].element.bits
    )
    for place in dearest_first:
        progress(f"FIFO before {design.stages[place].name}")
        choices = [0, *(1 << bits for bits in range(1, common.bit_length()))]  # up to common

        def slow(depth: int, place: int = place) -> bool:
            return interval([*depths[:place], depth, *depths[place + 1 :]]) > target

        # Most streams need no queue at all; a deeper one never makes a design slower.
        if not slow(0):
            depths[place] = 0
        else:
            depths[place] = choices[bisect_left(choices, True, 1, key=lambda d: not slow(d))]
    return insert_fifos(design, depths)
