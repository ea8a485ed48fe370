# SPDX-License-Identifier: BSD-3-Clause
"""In which cycles a stage accepts and sends beats: the input of the cycle model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bonn_hw.ir.integers import divisors


@dataclass(frozen=True, eq=False)
class Schedule:
    """How the RTL of a stage moves beats, without their data.

    A frame is a sequence of steps, at most one per cycle. Step ``i`` waits until ``need[i]`` input
    beats of the frame have arrived. After it, ``release[i]`` of them are no longer needed and have
    left the buffer. The step sends an output beat if ``emit[i]``. An output beat is valid
    ``latency`` cycles after its step, and the whole stage stops while a valid output beat is not
    accepted.

    With ``capacity`` 0 there is no buffer: the step that raises ``need`` accepts the input beat in
    the same cycle. Otherwise the stage accepts beats as long as it holds fewer than ``capacity``,
    and a beat can be used in the cycle after it was accepted. ``latency`` 0 means a FIFO: its
    output is the oldest beat that it holds, and a step happens when that beat is accepted.

    For example, an element-wise stage with n beats per frame has ``need = release = 1, 2, ..., n``,
    ``emit`` always true and ``capacity`` 0: each step accepts one beat and sends one.

    Steps that repeat stand there once: a frame is ``repeats`` times these, and ``need`` and
    ``release`` count from the first beat of each repetition. So the example is ``need = release =
    1``, repeated n times (`elementwise`), and a frame of millions of cycles takes no memory.
    """

    need: NDArray[np.int64]
    release: NDArray[np.int64]
    emit: NDArray[np.bool_]
    latency: int
    capacity: int = 0
    repeats: int = 1

    @classmethod
    def elementwise(cls, beats: int, latency: int, capacity: int = 0) -> Schedule:
        """Steps that each take a beat and send one."""
        one = np.ones(1, np.int64)
        return cls(one, one, np.ones(1, np.bool_), latency, capacity, beats)

    def __post_init__(self) -> None:
        # The C++ engines read the arrays as they lie in memory, where a broadcast one is shorter.
        for name in ("need", "release", "emit"):
            object.__setattr__(self, name, np.ascontiguousarray(getattr(self, name)))

    @property
    def beats(self) -> tuple[int, int]:
        """Input and output beats per frame."""
        return int(self.release[-1]) * self.repeats, int(self.emit.sum()) * self.repeats

    @property
    def steps(self) -> int:
        """Steps per frame."""
        return self.need.size * self.repeats

    @property
    def frame(self) -> Schedule:
        """The same, with all steps of a frame in the arrays."""
        first = np.arange(self.repeats, dtype=np.int64) * self.release[-1]
        need, release = (np.add.outer(first, one).ravel() for one in (self.need, self.release))
        return replace(
            self, need=need, release=release, emit=np.tile(self.emit, self.repeats), repeats=1
        )

    @cached_property
    def events(self) -> NDArray[np.int32]:
        """The steps that move or wait for a beat, int32 ``(events, 4)``.

        Columns: steps, need and release, as differences from the event before, and whether the step
        emits. The first event's differences are from the last event of the repetition before. Steps
        happen in order, so ``need`` is replaced by its running maximum. If the events repeat a
        shorter sequence, only that sequence is returned.
        """
        need, at = np.maximum.accumulate(self.need), self._moving
        total = self.release[-1]
        columns = [(at, self.need.size), (need[at], total), (self.release[at], total)]
        moves = [np.diff(values, prepend=values[-1] - whole) for values, whole in columns]
        return _period(np.stack([*moves, self.emit[at]], axis=1).astype(np.int32))

    @property
    def _moving(self) -> NDArray[np.intp]:
        """Indices of the steps that are events."""
        need = np.maximum.accumulate(self.need)
        waits = np.diff(need, prepend=need[-1] - self.release[-1]) > 0
        return np.flatnonzero(self.emit | waits | (np.diff(self.release, prepend=0) > 0))

    def with_pipeline(self, latency: int, capacity: int) -> Schedule:
        """Return the same steps with another pipeline and buffer; computed events are kept."""
        other = replace(self, latency=latency, capacity=capacity)
        other.__dict__["events"] = self.events
        return other

    @property
    def first(self) -> tuple[int, int]:
        """Number of steps up to and including the first event, and the beats that it needs."""
        at = int(self._moving[0])
        return at + 1, int(self.need[at])


def _period(rows: NDArray[np.int32]) -> NDArray[np.int32]:
    """The shortest sequence of rows whose repetition gives all rows."""
    for size in divisors(len(rows)):
        if (rows[size:] == rows[:-size]).all():
            return np.ascontiguousarray(rows[:size])
    return rows
