# SPDX-License-Identifier: BSD-3-Clause
"""A design as a network of the cycle model, with queues of any depth on its streams."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import pairwise

import numpy as np

from bonn_hw.ir.design import FoldedDesign, Stream
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.schedule import Schedule
from bonn_hw.kernels.cost import LUT_PER_BRAM36
from bonn_hw.kernels.fifo import Fifo
from bonn_hw.timing.model import OUTSIDE, Network, Timing

UNLIMITED = 1 << 40  # beats

Depths = Mapping[str, int]


class Queues:
    """A design's network with queues on streams between stages.

    Parameters
    ----------
    fixed : mapping
        Depths that the user fixed, by tensor. ``streams`` holds the streams without one.
    cuts : collection of str
        Tensors with a queue in any case, so that a path of `tready` ends at it.
    """

    def __init__(self, design: FoldedDesign, fixed: Depths, cuts: Collection[str] = ()) -> None:
        self.design, self.fixed, self.cuts = design, fixed, cuts
        self.plain = Network.of(design)
        self.bound, self.effort = design.bound, design.bound * len(design.stages)
        self._all: dict[str, Stream] = {}
        self.streams: dict[str, Stream] = {}
        self._made: dict[str, Schedule] = {}
        self._sinks = [stream.sink for stream in design.streams]
        self._links = dict(zip((s.tensor for s in design.streams), self.plain.links, strict=True))
        for stream in design.streams:
            self._all[stream.tensor] = stream
            # A queue on the input or output of the design cannot help.
            if stream.source and stream.sink and stream.tensor not in fixed:
                self.streams[stream.tensor] = stream

    def _schedule(self, name: str, depth: int) -> Schedule:
        if name not in self._made:  # the steps do not depend on the depth
            stream = self._all[name]
            self._made[name] = Fifo(stream.kind, 2).schedule(Folding(stream.lanes, stream.lanes))
        return self._made[name].with_pipeline(0, depth)

    def feeds_join(self, name: str) -> bool:
        """Whether the stream is one of several inputs of its consumer."""
        return self._sinks.count(self.streams[name].sink) > 1

    def stays(self, name: str) -> bool:
        """Whether the queue cannot be removed."""
        return name in self.cuts or self.feeds_join(name)

    def network(self, depths: Depths) -> Network:
        """Put queues on the streams whose depth is not 0, each right before its consumer."""
        depths = {**depths, **self.fixed}
        before: dict[int, list[str]] = {}
        for name, (_, sink) in self._links.items():
            if depths.get(name, 0):
                before.setdefault(sink, []).append(name)
        names: list[str] = []
        schedules: list[Schedule] = []
        moved = {OUTSIDE: OUTSIDE}  # new index of each stage, with the queues counted
        queued: dict[str, int] = {}
        stages = zip(self.plain.names, self.plain.schedules, strict=True)
        for place, (label, schedule) in enumerate(stages):
            for name in before.get(place, ()):
                queued[name] = len(names)
                names.append(f"the FIFO of {name}")
                schedules.append(self._schedule(name, depths[name]))
            moved[place] = len(names)
            names.append(label)
            schedules.append(schedule)
        hops: list[tuple[int, int]] = []
        for name, (source, sink) in self._links.items():
            ends = (moved[source], *([queued[name]] if name in queued else []), moved[sink])
            hops += pairwise(ends)
        return Network(tuple(names), tuple(schedules), tuple(hops))

    def cost(self, name: str, depth: int) -> float:
        """Resources of a queue, in LUT; block memories count as `LUT_PER_BRAM36` each."""
        stream = self.streams[name]
        used = Fifo(stream.kind, depth).resources(Folding(stream.lanes, stream.lanes))
        return used.lut + LUT_PER_BRAM36 * used.bram36

    def occupancy(self, network: Network, *runs: Timing) -> dict[str, tuple[int, int]]:
        """Most beats and longest wait of each queue, over runs of a network with all queues."""
        peaks = np.max([timing.peaks for timing in runs], axis=0)
        waits = np.max([timing.waits for timing in runs], axis=0)
        by_stage = dict(
            zip(network.names, zip(peaks.tolist(), waits.tolist(), strict=True), strict=True)
        )
        return {name: by_stage[f"the FIFO of {name}"] for name in self.streams}
