# SPDX-License-Identifier: BSD-3-Clause
"""The cycle model of a whole design: it predicts the cycle of every output beat exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bonn_hw.ir.design import FoldedDesign
from bonn_hw.ir.schedule import Schedule
from bonn_hw.timing import engines
from bonn_hw.timing.engines import Engine, Limits
from bonn_hw.timing.stalls import Stalls

OUTSIDE = -1
CERTIFIED = 3  # frames of a certificate; later frames repeat the first ones
# Frames after which a design may count as steady: if its interval is that of the slowest stage, if
# it is another; and the most frames of a run.
ENOUGH, PATIENT, MOST = 6, 16, 64


class Deadlock(Exception):
    """No stage can move any more; the message says which streams wait for each other."""


@dataclass(frozen=True, eq=False)
class Network:
    """What the cycle model runs: stages in topological order, and the streams between them.

    Attributes
    ----------
    links : tuple of (source, sink)
        One per stream: indices of stages, or `OUTSIDE`. Exactly one stream comes from the outside
        (the design's input) and one goes there (its output).
    """

    names: tuple[str, ...]
    schedules: tuple[Schedule, ...]
    links: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, design: FoldedDesign) -> Network:
        """Take the schedules and streams of a design."""
        names = tuple(stage.name for stage in design.stages)
        place: dict[str | None, int] = {name: i for i, name in enumerate(names)} | {None: OUTSIDE}
        return cls(
            names,
            tuple(stage.node.kernel.schedule(stage.folding) for stage in design.stages),
            tuple((place[stream.source], place[stream.sink]) for stream in design.streams),
        )


@dataclass(frozen=True, eq=False)
class Timing:
    """Cycles in which frames enter and leave; cycle 0 is the first after reset.

    Attributes
    ----------
    first_in, first_out, last_out : int64 ``(frames,)``
        Cycle of a frame's first input beat, first output beat and last output beat.
    output_cycles : int64 ``(frames * beats,)``
        Cycle of every output beat.
    peaks, waits : tuple of int
        Most beats that each FIFO held, and most cycles that its oldest beat had to wait; 0 for
        other stages.
    """

    first_in: NDArray[np.int64]
    first_out: NDArray[np.int64]
    last_out: NDArray[np.int64]
    output_cycles: NDArray[np.int64]
    peaks: tuple[int, ...]
    waits: tuple[int, ...]

    @property
    def interval(self) -> int:
        """Initiation interval: cycles between the last two frames' last beats."""
        return int(self.last_out[-1] - self.last_out[-2])

    @property
    def latency(self) -> int:
        """Cycles from the first input beat to the first output beat of the first frame."""
        return int(self.first_out[0] - self.first_in[0])


def with_shortest_pipelines(network: Network) -> Network:
    """The network with every pipeline a single register long."""
    single = tuple(
        one.with_pipeline(min(one.latency, 1), one.capacity) for one in network.schedules
    )
    return replace(network, schedules=single)


def certify(network: Network, frames: int = CERTIFIED) -> None:
    """Raise Deadlock if stalls of the source or the sink could stop the network for ever.

    A pipeline stops as a whole while its last beat waits. If there are gaps between its beats, it
    then holds fewer beats than it has registers: how many depends on the stalls, but at least one.
    FIFOs and buffers hold the same number of beats whatever the stalls are. So the network is run
    with every pipeline a single register long. If all frames pass there, they pass with the longer
    pipelines under any stalls, because more room never stops a beat.
    """
    run_network(with_shortest_pipelines(network), frames)


def run_network(
    network: Network,
    frames: int = 0,
    pace: int = 0,
    stall: int | None = None,
    engine: Engine = engines.events,
) -> Timing:
    """Run the cycle model.

    Parameters
    ----------
    frames : int
        How many; 0: until three intervals are the same (at least 6 frames, 16 where they are not
        those of the slowest stage; at most 64).
    pace : int
        Cycles over which the source spreads the beats of a frame; 0: as fast as they are accepted.
    stall : int or None
        Seed of random input gaps and output stalls (`timing.stalls`), as in a simulation.
    engine : Engine
        `engines.stepping` returns the same, but is slower.

    Raises
    ------
    Deadlock
        If the network stops before all frames are out.
    """
    links = np.array(network.links, np.int64)
    (entry,), (exit_,) = (links[links[:, 1 - end] == OUTSIDE, end] for end in (1, 0))
    enough, patient = (frames + 1, frames + 1) if frames else (ENOUGH, PATIENT)
    limits = Limits(
        frames or MOST,
        enough,
        patient,
        pace,
        beats_in=network.schedules[entry].beats[0],
        beats_out=network.schedules[exit_].beats[1],
        stalls=Stalls.random(stall),
    )
    outcome = engine(network.schedules, links, limits)
    if outcome.stuck_after is not None:
        reason = _waiting(network, outcome.states)
        raise Deadlock(f"no beat moves after cycle {outcome.stuck_after}: {reason}")
    return Timing(
        outcome.first_in,
        outcome.first_out,
        outcome.last_out,
        outcome.output_cycles,
        tuple(map(int, outcome.peaks)),
        tuple(map(int, outcome.waits)),
    )


OFFERED, WANTED = 1, 2  # bits of a stream's state: valid, ready


def _waiting(network: Network, states: NDArray[np.int64]) -> str:
    """Describe which stages wait for each other: from the sink backwards, until a cycle closes.

    A stage waits for its consumer if it offers a beat that the consumer does not accept. It waits
    for a producer if that producer offers no beat.
    """
    names = dict(enumerate(network.names)) | {OUTSIDE: "the outside"}
    waits: dict[int, list[tuple[int, str]]] = {place: [] for place in names}
    for (source, sink), state in zip(network.links, states, strict=True):
        if state & OFFERED and not state & WANTED:
            text = f"{names[source]} waits for {names[sink]} to take a beat"
            waits[source].append((sink, text))
        if not state & OFFERED:
            waits[sink].append((source, f"{names[sink]} waits for a beat from {names[source]}"))
    seen: dict[int, int] = {}
    reasons: list[str] = []
    place = OUTSIDE
    while place not in seen and waits[place]:
        seen[place] = len(reasons)
        place, text = waits[place][0]
        reasons.append(text)
    if place not in seen:  # no cycle: this stage can never work
        reasons.append(f"{names[place]} waits for more beats than its buffer holds")
    return "; ".join(reasons[seen.get(place, 0) :])


def run_schedules(schedules: Sequence[Schedule], frames: int, names: Sequence[str] = ()) -> Timing:
    """Run a chain of stages for ``frames`` frames, as `run_network` does."""
    labels = tuple(names) or tuple(f"stage {i}" for i in range(len(schedules)))
    places = (OUTSIDE, *range(len(schedules)), OUTSIDE)
    return run_network(Network(labels, tuple(schedules), tuple(pairwise(places))), frames)


def run(design: FoldedDesign, frames: int = 0, stall: int | None = None) -> Timing:
    """Run the cycle model of a design, as `run_network` does."""
    return run_network(Network.of(design), frames, stall=stall)
