# SPDX-License-Identifier: BSD-3-Clause
"""Insert FIFOs: deep enough that the design runs at the interval of its slowest stage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bonn_hw.ir.design import FoldedDesign, Stage
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.graph import DataflowGraph, Node
from bonn_hw.kernels.fifo import Fifo
from bonn_hw.passes.fifo_queues import UNLIMITED, Depths, Queues
from bonn_hw.passes.fifo_search import few_tries, one_by_one, together
from bonn_hw.progress import Progress, silent
from bonn_hw.timing import model

# Stages times cycles a frame: up to which every queue is tried, and up to which any is.
SMALL, LARGE = 4_000_000, 200_000_000
FEW, MORE = 3, 8  # frames of a try in larger designs, and where the first ones take longer


def insert_fifos(design: FoldedDesign, depths: Depths) -> FoldedDesign:
    """Put FIFOs on streams, given by tensor; a depth of 0 puts none."""
    tensors = dict(design.graph.tensors)
    lanes = {stream.tensor: stream.lanes for stream in design.streams}
    stages: list[Stage] = []
    made = 0
    for stage in design.stages:
        inputs = []
        for name in stage.node.inputs:
            if depths.get(name, 0):
                kernel, fresh = Fifo(tensors[name], depths[name]), f"{name}_queued"
                tensors[fresh] = tensors[name]
                node = Node(f"{kernel.stem}_{made}", kernel, (name,), (fresh,), stage.node.origin)
                stages.append(Stage(node, Folding(lanes[name], lanes[name])))
                name = fresh
                made += 1
            inputs.append(name)
        stages.append(replace(stage, node=replace(stage.node, inputs=tuple(inputs))))
    nodes = tuple(stage.node for stage in stages)
    graph = DataflowGraph(nodes, tensors, design.graph.input, design.graph.output)
    return FoldedDesign(graph, tuple(stages)).check()


def depths_of(design: FoldedDesign) -> dict[str, int]:
    """Depth of every FIFO, by the tensor behind it."""
    return {
        stage.node.outputs[0]: stage.node.kernel.depth
        for stage in design.stages
        if isinstance(stage.node.kernel, Fifo)
    }


def size_fifos(
    design: FoldedDesign,
    fixed: Depths | None = None,
    progress: Progress = silent,
) -> FoldedDesign:
    """Find depths with the cycle model: from one run of unlimited queues, then as small as may be.

    The source of that run offers a frame in as many cycles as the slowest stage needs. What the
    queues hold at most is then enough for this interval: with that capacity, and one beat more
    because a full queue does not take a beat while one leaves, no queue ever stops a stage. Source
    and sink may only make beats move earlier than there: a depth never slows a design down. The
    same run with the least that pipelines hold gives depths that no stalls can make too small
    (`model.certify`).

    Then queues go and others are halved as long as the design keeps its interval and its
    certificate (`fifo_search`): in designs of up to `SMALL` until no other can, in larger ones
    where most is to gain, by runs of few frames. The outcome is run until it is steady; if it is
    slower after all, the runs take more frames, and beyond `LARGE` nothing is tried.

    Parameters
    ----------
    fixed : mapping or None
        Depths that are given, by tensor: with them the others are as deep as they need to be.

    Raises
    ------
    Deadlock
        If the design stops with the given depths, whatever the others are.
    """
    queues = Queues(design, fixed or {})
    unlimited = queues.network(dict.fromkeys(queues.streams, UNLIMITED))
    progress("FIFOs without limits")
    paced, least = together(
        lambda: model.run_network(unlimited, pace=design.bound),
        lambda: model.run_network(model.shortest(unlimited), model.CERTIFIED, pace=design.bound),
    )
    seen = queues.seen(unlimited, paced, least)
    target = max(design.bound, paced.interval)
    enough = {name: max(2, 1 + peak) for name, (peak, _) in seen.items()}
    # Those before joins are needed; no beat ever waits in the others that hold nothing up.
    idle = [name for name, (_, wait) in seen.items() if not wait and not queues.joins(name)]
    if queues.effort <= SMALL:
        return _certified(queues, one_by_one(queues, enough, idle, target, progress))
    steady = bool((np.diff(paced.last_out) == paced.interval).all())  # from the first frame on
    for frames in (*(FEW,) * steady, MORE) if queues.effort <= LARGE else ():
        start = model.run_network(unlimited, frames, pace=design.bound)
        early = queues.seen(unlimited, start, least)
        # A queue that fills up over more frames than a try has would seem to be too deep.
        filled = [name for name in seen if early[name][0] == seen[name][0]]
        depths = few_tries(queues, enough, idle, filled, start.last_out, progress)
        if model.run_network(queues.network(depths)).interval <= target:
            return _certified(queues, depths)
    return _certified(queues, enough)


def _certified(queues: Queues, depths: Depths) -> FoldedDesign:
    model.certify(queues.network(depths))
    return insert_fifos(queues.design, {**depths, **queues.fixed})
