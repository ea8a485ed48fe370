# SPDX-License-Identifier: BSD-3-Clause
"""The two engines of the cycle model, in C++: `events` skips idle cycles, `stepping` none."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bonn_hw.ir.schedule import Schedule
from bonn_hw.timing.native import library
from bonn_hw.timing.stalls import Stalls

Cycles = NDArray[np.int64]
MOST_REGISTERS = 32  # of a pipeline, as in events.cpp


@dataclass(frozen=True)
class Limits:
    """How long an engine runs, and how the source offers its beats.

    Attributes
    ----------
    frames : int
        Frames at most.
    enough, patient : int
        Frames after which three equal intervals end the run: `enough` if the interval is that of
        the slowest stage, `patient` if it is another.
    pace : int
        Cycles over which the source spreads the beats of a frame; 0: as fast as they are accepted.
    beats_in, beats_out : int
        Input and output beats per frame.
    stalls : Stalls
        Random gaps of the source and stalls of the sink.
    """

    frames: int
    enough: int
    patient: int
    pace: int
    beats_in: int
    beats_out: int
    stalls: Stalls


@dataclass(frozen=True, eq=False)
class Outcome:
    """The result of an engine; arrays as in `timing.model.Timing`, for complete frames only.

    Attributes
    ----------
    stuck_after : int or None
        The last cycle in which a beat moved; None if all frames left the network.
    peaks, waits : int64 ``(stages,)``
        Most beats that each FIFO held, and most cycles that its oldest beat had to wait; 0 for
        other stages.
    states : int64 ``(links,)``
        State of each stream at the end: a beat is offered (bit 0), one would be accepted (bit 1).
    """

    first_in: Cycles
    first_out: Cycles
    last_out: Cycles
    output_cycles: Cycles
    stuck_after: int | None
    peaks: Cycles
    waits: Cycles
    states: Cycles


class Engine(Protocol):
    """A function that runs stages in topological order; links are (source, sink), -1 outside."""

    def __call__(self, stages: Sequence[Schedule], links: Cycles, limits: Limits, /) -> Outcome:
        """Run until the limits are met or nothing can move."""


class _Events(ctypes.Structure):
    _fields_ = (
        ("events", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("first_gap", ctypes.c_int64),
        ("first_need", ctypes.c_int64),
        ("steps", ctypes.c_int64),
        ("capacity", ctypes.c_int64),
        ("latency", ctypes.c_int64),
    )


class _Steps(ctypes.Structure):
    _fields_ = (
        ("need", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("emit", ctypes.c_void_p),
        ("steps", ctypes.c_int64),
        ("repeats", ctypes.c_int64),
        ("capacity", ctypes.c_int64),
        ("latency", ctypes.c_int64),
    )


def events(stages: Sequence[Schedule], links: Cycles, limits: Limits) -> Outcome:
    """Skip cycles in which nothing changes (``events.cpp``): the engine that is used."""
    deepest = max(stage.latency for stage in stages)
    if deepest >= MOST_REGISTERS:
        raise ValueError(
            f"a pipeline of {deepest} registers: the engine holds {MOST_REGISTERS - 1} at most"
        )
    plans = (_Events * len(stages))()
    for plan, stage in zip(plans, stages, strict=True):
        plan.events, plan.count = stage.events.ctypes.data, len(stage.events)
        plan.first_gap, plan.first_need = stage.first
        plan.steps = stage.steps
        plan.capacity, plan.latency = stage.capacity, stage.latency
    return _run("run_events", "events.cpp", plans, links, limits)


def stepping(stages: Sequence[Schedule], links: Cycles, limits: Limits) -> Outcome:
    """Simulate every cycle (``stepping.cpp``): an independent implementation, for tests."""
    plans = (_Steps * len(stages))()
    for plan, stage in zip(plans, stages, strict=True):
        plan.need, plan.release = stage.need.ctypes.data, stage.release.ctypes.data
        plan.emit, plan.steps = stage.emit.ctypes.data, stage.need.size
        plan.repeats = stage.repeats
        plan.capacity, plan.latency = stage.capacity, stage.latency
    outcome = _run("run_steps", "stepping.cpp", plans, links, limits)
    queues = np.array([not stage.latency for stage in stages])
    outcome.peaks[~queues] = 0
    outcome.waits[~queues] = 0
    return outcome


def _run(name: str, source: str, plans: Any, links: Cycles, limits: Limits) -> Outcome:
    function = getattr(library(Path(__file__).with_name(source)), name)
    function.restype = ctypes.c_int64
    first_in, first_out, last_out = (np.full(limits.frames, -1, np.int64) for _ in range(3))
    cycles = np.full(limits.frames * limits.beats_out, -1, np.int64)
    peaks, waits = np.zeros((2, len(plans)), np.int64)
    states = np.zeros(len(links), np.int64)
    stuck = ctypes.c_int64(-1)
    numbers = (
        len(links),
        limits.frames,
        limits.enough,
        limits.patient,
        limits.pace,
        limits.beats_in,
        limits.beats_out,
        limits.stalls.takes.size,
    )
    done = function(
        plans,
        ctypes.c_int64(len(plans)),
        ctypes.c_void_p(links.ctypes.data),
        *(ctypes.c_int64(number) for number in numbers),
        ctypes.c_void_p(limits.stalls.offers.ctypes.data),
        ctypes.c_void_p(limits.stalls.takes.ctypes.data),
        *(ctypes.c_void_p(a.ctypes.data) for a in (first_in, first_out, last_out, cycles)),
        *(ctypes.c_void_p(a.ctypes.data) for a in (peaks, waits, states)),
        ctypes.byref(stuck),
    )
    return Outcome(
        first_in[:done],
        first_out[:done],
        last_out[:done],
        cycles[: done * limits.beats_out],
        None if stuck.value < 0 else stuck.value,
        peaks,
        waits,
        states,
    )
