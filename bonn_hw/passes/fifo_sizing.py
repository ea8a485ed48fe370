# SPDX-License-Identifier: BSD-3-Clause
"""Insert FIFOs: deep enough that the design runs at the interval of its slowest stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from bonn_hw.ir.design import FoldedDesign, Folding, Stage, Stream
from bonn_hw.ir.graph import DataflowGraph, Node
from bonn_hw.kernels.fifo import Fifo
from bonn_hw.kernels.kernel import Schedule
from bonn_hw.timing import model
from bonn_hw.timing.model import OUTSIDE, Network, Timing

UNLIMITED = 1 << 40  # beats
LARGEST_SEARCH = 50_000_000  # stages times cycles a frame: a hundred runs take minutes there
LITTLE = 4  # beats that a queue holds where data just flow through

Depths = Mapping[str, int]


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


def size_fifos(
    design: FoldedDesign, progress: Callable[[str], None] = lambda text: None
) -> FoldedDesign:
    """Find depths with the cycle model: from one run of unlimited queues, then as small as may be.

    The source of that run offers a frame in as many cycles as the slowest stage needs. What the
    queues hold at most is then enough for this interval: with that capacity, and one beat more
    because a full queue does not take a beat while one leaves, no queue ever stops a stage. Source
    and sink may only make beats move earlier than there: a depth never slows a design down. The
    same run with the least that pipelines hold gives depths that no stalls can make too small
    (`model.certify`).

    Then as many queues as possible go, and no other can be halved without slowing the design down
    or losing the certificate. Designs of more than `LARGEST_SEARCH` are left as that run made them.
    """
    queues = _Queues(design)
    unlimited = queues.network(dict.fromkeys(queues.streams, UNLIMITED))
    paced = model.run_network(unlimited, pace=design.bound)
    least = model.run_network(model.shortest(unlimited), model.CERTIFIED, pace=design.bound)
    target = max(design.bound, paced.interval)
    held = zip(queues.held(unlimited, paced), queues.held(unlimited, least), strict=True)
    depths = {name: max(2, 1 + max(one, other)) for (name, one), (_, other) in held}

    def fits(changed: Depths) -> bool:
        network = queues.network({**depths, **changed})
        try:
            fast = model.run_network(network).interval <= target
            if fast:
                model.certify(network)
            return fast
        except model.Deadlock:
            return False

    def drop(names: Sequence[str]) -> None:
        """Let as many queues go as possible, all at once where that does."""
        none = dict.fromkeys(names, 0)
        if fits(none):
            depths.update(none)
        elif len(names) > 1:
            drop(names[: len(names) // 2])
            drop(names[len(names) // 2 :])

    if design.bound * len(design.stages) > LARGEST_SEARCH:
        model.certify(queues.network(depths))
        return insert_fifos(design, depths)
    progress("FIFOs that are not needed")
    free = [name for name in depths if not queues.joins(name)]  # before joins they are needed
    drop([name for name in free if depths[name] <= LITTLE])
    drop([name for name in free if depths[name] > LITTLE])
    dearest_first = sorted(
        (name for name in depths if depths[name]),
        key=lambda name: -depths[name] * queues.streams[name].width,
    )
    for name in dearest_first:
        progress(f"FIFO before {queues.streams[name].sink}")
        # A deeper one never makes a design slower: the first that is too short ends the search.
        while (less := _next_below(depths[name])) and fits({name: less}):
            depths[name] = less
    model.certify(queues.network(depths))
    return insert_fifos(design, depths)


def _next_below(depth: int) -> int:
    """The next smaller power of two, and 0 below 2."""
    return 1 << (depth - 1).bit_length() - 1 if depth > 2 else 0


class _Queues:
    """A design's network with queues on streams between stages."""

    def __init__(self, design: FoldedDesign) -> None:
        self.plain = Network.of(design)
        self.streams: dict[str, Stream] = {}
        self._queues = {}
        self._sinks = [stream.sink for stream in design.streams]
        self._links = dict(zip((s.tensor for s in design.streams), self.plain.links, strict=True))
        for stream in design.streams:
            if stream.source is None or stream.sink is None:
                continue  # a queue at the ends cannot help
            lanes = Folding(stream.lanes, stream.lanes)
            self.streams[stream.tensor] = stream
            self._queues[stream.tensor] = Fifo(stream.kind, depth=2).schedule(lanes)

    def joins(self, name: str) -> bool:
        """Whether a stream is one of several that a stage takes."""
        return self._sinks.count(self.streams[name].sink) > 1

    def network(self, depths: Depths) -> Network:
        """Put queues on the streams whose depth is not 0, each right before its consumer."""
        before: dict[int, list[str]] = {}
        for name, (_, sink) in self._links.items():
            if depths.get(name, 0):
                before.setdefault(sink, []).append(name)
        names: list[str] = []
        schedules: list[Schedule] = []
        moved = {OUTSIDE: OUTSIDE}  # places of the stages among the queues
        queued: dict[str, int] = {}
        stages = zip(self.plain.names, self.plain.schedules, strict=True)
        for place, (label, schedule) in enumerate(stages):
            for name in before.get(place, ()):
                queued[name] = len(names)
                names.append(f"the FIFO of {name}")
                schedules.append(replace(self._queues[name], capacity=depths[name]))
            moved[place] = len(names)
            names.append(label)
            schedules.append(schedule)
        hops: list[tuple[int, int]] = []
        for name, (source, sink) in self._links.items():
            ends = (moved[source], *([queued[name]] if name in queued else []), moved[sink])
            hops += pairwise(ends)
        return Network(tuple(names), tuple(schedules), tuple(hops))

    def held(self, network: Network, timing: Timing) -> list[tuple[str, int]]:
        """Most beats of each queue in a run of a network with all queues."""
        peaks = dict(zip(network.names, timing.peaks, strict=True))
        return [(name, peaks[f"the FIFO of {name}"]) for name in self.streams]
