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
from bonn_hw.passes.fifo_search import shrink_each, shrink_within_effort, together
from bonn_hw.passes.memory_placement import with_kernels
from bonn_hw.passes.ready_chains import cuts
from bonn_hw.progress import Progress, silent
from bonn_hw.timing import model

# The size of a design is its stages times its cycles per frame. Up to SMALL every queue is tried;
# beyond LARGE none is.
SMALL, LARGE = 4_000_000, 200_000_000
FEW, MORE = 3, 8  # frames per try in larger designs; MORE if the first frames take longer


def insert_fifos(design: FoldedDesign, depths: Depths) -> FoldedDesign:
    """Put FIFOs of these depths on streams, by tensor; a depth of 0 means no FIFO."""
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


def with_fifos_of(design: FoldedDesign, other: FoldedDesign) -> FoldedDesign:
    """The design with the FIFOs of another one, whose streams are the same."""
    fifos = {
        stage.node.inputs[0]: stage.node.kernel
        for stage in other.stages
        if isinstance(stage.node.kernel, Fifo)
    }
    sized = insert_fifos(design, {name: kernel.depth for name, kernel in fifos.items()})
    same = {
        stage.name: fifos[stage.node.inputs[0]]
        for stage in sized.stages
        if isinstance(stage.node.kernel, Fifo)
    }
    return with_kernels(sized, same)


def size_fifos(
    design: FoldedDesign,
    fixed: Depths | None = None,
    progress: Progress = silent,
) -> FoldedDesign:
    """Find FIFO depths with the cycle model: run with unlimited queues, then shrink them.

    Streams on which a FIFO cuts a long path of `tready` (`ready_chains`) keep one of two beats.

    1. Run the design with unlimited queues and a source that offers one frame per initiation
       interval of the slowest stage. The most beats that a queue held, plus one, is a sufficient
       depth: no queue ever stops a stage. The one more is needed because a full queue does not
       accept a beat in the cycle in which one leaves. A faster source or sink only moves beats to
       an earlier cycle, so a depth never slows a design down.
    2. Run it again with pipelines of one register. The larger depth of both runs cannot deadlock,
       whatever source and sink do (`model.certify`).
    3. Remove or halve queues as long as the design keeps its interval and its certificate
       (`fifo_search`). In designs up to `SMALL` every queue is tried; in larger ones the most
       expensive queues are tried, with runs of few frames; beyond `LARGE` none is tried.
    4. Run the result until it is steady. If it turns out to be slower, repeat step 3 with more
       frames per run.

    Parameters
    ----------
    fixed : mapping or None
        Depths that the user fixed, by tensor. The other FIFOs are sized to go with them.

    Raises
    ------
    Deadlock
        If the design deadlocks with the fixed depths, whatever the other depths are.
    """
    fixed = fixed or {}
    queues = Queues(design, fixed, cuts(design, fixed))
    unlimited = queues.network(dict.fromkeys(queues.streams, UNLIMITED))
    progress("FIFOs without limits")
    paced, least = together(
        lambda: model.run_network(unlimited, pace=design.bound),
        lambda: model.run_network(
            model.with_shortest_pipelines(unlimited), model.CERTIFIED, pace=design.bound
        ),
    )
    used = queues.occupancy(unlimited, paced, least)
    target = max(design.bound, paced.interval)
    sufficient = {name: max(2, 1 + peak) for name, (peak, _) in used.items()}
    # Cuts and queues before joins are needed. Of the others, those in which no beat waited may be
    # removed.
    idle = [name for name, (_, wait) in used.items() if not wait and not queues.stays(name)]
    if queues.effort <= SMALL:
        return _certified(queues, shrink_each(queues, sufficient, idle, target, progress))
    steady = bool((np.diff(paced.last_out) == paced.interval).all())  # from the first frame on
    for frames in (*(FEW,) * steady, MORE) if queues.effort <= LARGE else ():
        start = model.run_network(unlimited, frames, pace=design.bound)
        early = queues.occupancy(unlimited, start, least)
        # A queue that needs more frames than a try has to fill up would wrongly seem too deep.
        filled = [name for name in used if early[name][0] == used[name][0]]
        depths = shrink_within_effort(queues, sufficient, idle, filled, start.last_out, progress)
        if model.run_network(queues.network(depths)).interval <= target:
            return _certified(queues, depths)
    return _certified(queues, sufficient)


def _certified(queues: Queues, depths: Depths) -> FoldedDesign:
    model.certify(queues.network(depths))
    return insert_fifos(queues.design, {**depths, **queues.fixed})
