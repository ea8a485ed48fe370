# SPDX-License-Identifier: BSD-3-Clause
"""In which cycle a stage takes and gives beats: what the cycle model runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bonn_hw.ir.integers import divisors


@dataclass(frozen=True, eq=False)
class Schedule:
    """How the RTL of a stage moves beats, data apart: what the cycle model runs.

    A frame is a sequence of steps, at most one a cycle. Step ``i`` waits until ``need[i]`` input
    beats of the frame have arrived; with it ``release[i]`` of them have been given back in total;
    it sends an output beat where ``emit[i]``. An output beat is valid ``latency`` cycles after its
    step, and the whole stage holds while a valid output beat is not taken.

    With ``capacity`` 0 there is no buffer: the step that raises ``need`` takes the beat from the
    wire in the same cycle. Otherwise beats are taken as long as fewer than ``capacity`` are held,
    and a beat can be used in the cycle after it was taken. ``latency`` 0 (a FIFO) shows the oldest
    held beat itself, and steps when it is taken.
    """

    need: NDArray[np.int64]
    release: NDArray[np.int64]
    emit: NDArray[np.bool_]
    latency: int
    capacity: int = 0

    @property
    def beats(self) -> tuple[int, int]:
        """Input and output beats a frame."""
        return int(self.release[-1]), int(self.emit.sum())

    @cached_property
    def events(self) -> NDArray[np.int32]:
        """The steps that move or await a beat, as differences to the one before, frame after frame.

        ``(events, 4)``: steps, need, release, whether it emits; the first one's are those to the
        frame before. All steps before a step have been done, so what it needs is the most that any
        of them needed. Where a frame repeats itself, only what is repeated stands here.
        """
        need, at = np.maximum.accumulate(self.need), self._moving
        total = self.release[-1]
        columns = [(at, self.need.size), (need[at], total), (self.release[at], total)]
        moves = [np.diff(values, prepend=values[-1] - whole) for values, whole in columns]
        return _period(np.stack([*moves, self.emit[at]], axis=1).astype(np.int32))

    @property
    def _moving(self) -> NDArray[np.intp]:
        """Places of the events; a frame's first step if it awaits beats that were given back."""
        need = np.maximum.accumulate(self.need)
        awaits = np.diff(need, prepend=need[-1] - self.release[-1]) > 0
        return np.flatnonzero(self.emit | awaits | (np.diff(self.release, prepend=0) > 0))

    def held(self, latency: int, capacity: int) -> Schedule:
        """The same steps behind another pipeline or buffer; what is known of them is kept."""
        other = replace(self, latency=latency, capacity=capacity)
        other.__dict__["events"] = self.events
        return other

    @property
    def first(self) -> tuple[int, int]:
        """Steps up to and with the very first event, and what it needs."""
        at = int(self._moving[0])
        return at + 1, int(self.need[at])


def _period(rows: NDArray[np.int32]) -> NDArray[np.int32]:
    """The shortest part that the rows repeat."""
    for size in divisors(len(rows)):
        if (rows[size:] == rows[:-size]).all():
            return np.ascontiguousarray(rows[:size])
    return rows
