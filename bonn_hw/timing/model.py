# SPDX-License-Identifier: BSD-3-Clause
"""The cycle model of a whole design: exact, in the cycle of every output beat."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bonn_hw.ir.design import FoldedDesign
from bonn_hw.kernels.kernel import Schedule
from bonn_hw.timing.native import library


class Deadlock(Exception):
    """No stage can move any more; the message says which streams wait for what."""


@dataclass(frozen=True, eq=False)
class Timing:
    """When frames come and go; cycle 0 is the first after reset, input and output never stall.

    Attributes
    ----------
    first_in, first_out, last_out : int64 ``(frames,)``
        Cycle of a frame's first input beat, first output beat and last output beat.
    output_cycles : int64 ``(frames * beats,)``
        Cycle of every output beat.
    peaks : tuple of int
        Most beats that each stage held.
    """

    first_in: NDArray[np.int64]
    first_out: NDArray[np.int64]
    last_out: NDArray[np.int64]
    output_cycles: NDArray[np.int64]
    peaks: tuple[int, ...]

    @property
    def interval(self) -> int:
        """Initiation interval: cycles between the last two frames' last beats."""
        return int(self.last_out[-1] - self.last_out[-2])

    @property
    def steady(self) -> bool:
        """Whether the last three intervals are the same."""
        gaps = np.diff(self.last_out[-4:])
        return gaps.size == 3 and bool((gaps == gaps[0]).all())

    @property
    def latency(self) -> int:
        """Cycles from the first input beat to the first output beat of the first frame."""
        return int(self.first_out[0] - self.first_in[0])


class _Plan(ctypes.Structure):
    _fields_ = (
        ("need", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("emit", ctypes.c_void_p),
        ("steps", ctypes.c_int64),
        ("capacity", ctypes.c_int64),
        ("latency", ctypes.c_int64),
    )


def run_schedules(schedules: Sequence[Schedule], frames: int, names: Sequence[str] = ()) -> Timing:
    """Run a chain of stages for ``frames`` frames.

    Raises
    ------
    Deadlock
        If the chain stops before all frames are out.
    """
    engine = library(Path(__file__).with_name("model.cpp"))
    engine.run_chain.restype = ctypes.c_int64
    plans = (_Plan * len(schedules))()
    for plan, schedule in zip(plans, schedules, strict=True):
        plan.need = schedule.need.ctypes.data
        plan.release = schedule.release.ctypes.data
        plan.emit = schedule.emit.ctypes.data
        plan.steps, plan.capacity = schedule.need.size, schedule.capacity
        plan.latency = schedule.latency
    beats_in, beats_out = schedules[0].beats[0], schedules[-1].beats[1]
    first_in, first_out, last_out = (np.full(frames, -1, np.int64) for _ in range(3))
    cycles = np.full(frames * beats_out, -1, np.int64)
    peaks, received = (np.zeros(len(schedules), np.int64) for _ in range(2))
    arrays = (first_in, first_out, last_out, cycles, peaks, received)
    end = engine.run_chain(
        plans,
        *(ctypes.c_int64(value) for value in (len(schedules), frames, beats_in, beats_out)),
        *(ctypes.c_void_p(array.ctypes.data) for array in arrays),
    )
    if end < 0:
        labels = names or [f"stage {i}" for i in range(len(schedules))]
        taken = ", ".join(f"{n} {r}" for n, r in zip(labels, received, strict=True))
        raise Deadlock(f"no stage moves after cycle {-1 - end}; input beats taken: {taken}")
    return Timing(first_in, first_out, last_out, cycles, tuple(int(peak) for peak in peaks))


def run(design: FoldedDesign, frames: int = 0) -> Timing:
    """Run the design for ``frames`` frames, or until three intervals are the same (at most 64)."""
    schedules = [stage.node.kernel.schedule(stage.folding) for stage in design.stages]
    names = [stage.name for stage in design.stages]
    if frames:
        return run_schedules(schedules, frames, names)
    for count in (6, 16, 64):
        timing = run_schedules(schedules, count, names)
        if timing.steady:
            break
    return timing
