# SPDX-License-Identifier: BSD-3-Clause
"""The results of an activation for every integer of every channel, as runs of equal values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Staircase:
    """The output of a quantiser for every integer of every channel, as runs of equal values.

    Attributes
    ----------
    low, high : int64 ``(C,)``
        Smallest and largest integer of each channel.
    channel, start, value : int64 ``(K,)``
        Runs, sorted by channel and start: the output is ``value`` from ``start`` to the next run,
        or to ``high``. For one channel with x in 0..5 and the output x // 2: start 0, 2, 4 and
        value 0, 1, 2.
    """

    low: Array
    high: Array
    channel: Array
    start: Array
    value: Array

    @property
    def end(self) -> Array:
        """Last integer of each run."""
        following = np.append(self.start[1:], 0) - 1
        last = np.append(self.channel[1:] != self.channel[:-1], True)
        return np.where(last, self.high[self.channel], following)

    @property
    def runs(self) -> Array:
        """Number of runs of each channel, ``(C,)``."""
        return np.bincount(self.channel, minlength=len(self.low))

    @property
    def first(self) -> Array:
        """Index of the first run of each channel, ``(C,)``."""
        return np.searchsorted(self.channel, np.arange(len(self.low)))

    @property
    def identity(self) -> bool:
        """Whether the output equals the input for every integer."""
        return bool((self.start == self.value).all() and (self.start == self.end).all())

    @property
    def keeps_bits(self) -> bool:
        """Whether the output equals the input, if the integers are -1 and +1 only."""
        values = [-1, 1] * len(self.low)
        return bool(values == self.value.tolist() == self.start.tolist())

    @property
    def returns_bits(self) -> bool:
        """Whether the output is -1 or +1, and changes at most once in every channel."""
        return bool((self.runs <= 2).all() and (np.abs(self.value) == 1).all())

    @property
    def monotone(self) -> bool:
        """Whether no channel both rises and falls."""
        inside = self.channel[1:] == self.channel[:-1]
        steps, channel = np.diff(self.value)[inside], self.channel[1:][inside]
        rises, falls = (np.isin(self.channel, channel[part]) for part in (steps > 0, steps < 0))
        return not (rises & falls).any()

    def constant(self, channels: int) -> Array:
        """Channels whose output is the same for every integer; one channel stands for all."""
        alone = np.flatnonzero(self.runs == 1)
        if len(self.low) == channels:
            return alone
        return np.arange(channels) if alone.size else alone

    def only(self, channel: int) -> Staircase:
        """The runs of one channel."""
        runs = self.channel == channel
        low, high = self.low[channel : channel + 1], self.high[channel : channel + 1]
        return Staircase(low, high, 0 * self.channel[runs], self.start[runs], self.value[runs])

    def mapped(self, values: Array) -> Staircase:
        """The same runs with other values ``(K,)``; equal neighbours become one run."""
        new = np.append(True, (values[1:] != values[:-1]) | (np.diff(self.channel) != 0))
        channel, start = self.channel[new], self.start[new]
        return replace(self, channel=channel, start=start, value=values[new])

    def differences(self, other: Staircase) -> tuple[Array, Array, Array]:
        """Where another staircase over the same integers differs, as ranges in ascending order.

        Returns
        -------
        channel, first, last : int64 ``(D,)``
            The outputs differ for the integers from ``first`` to ``last``.
        """
        base, span = int(self.low.min()), int(self.high.max() - self.low.min()) + 1
        mine, theirs = (one.channel * span + one.start - base for one in (self, other))
        keys = np.sort(np.concatenate([mine, theirs]), kind="stable")  # two ascending parts
        keys = keys[np.append(True, keys[1:] != keys[:-1])]
        values = [
            one.value[np.searchsorted(starts, keys, side="right") - 1]
            for one, starts in ((self, mine), (other, theirs))
        ]
        channel, first = keys // span, keys % span + base
        next_first = np.append(first[1:], 0) - 1
        final = np.append(channel[1:] != channel[:-1], True)
        last = np.where(final, self.high[channel], next_first)
        differs = values[0] != values[1]
        return channel[differs], first[differs], last[differs]

    def differing(self, other: Staircase) -> set[int]:
        """Channels in which another staircase over the same integers differs."""
        return set(self.differences(other)[0].tolist())


def gather(chunks: Iterable[tuple[Array, Array]], low: Array, high: Array) -> Staircase:
    """Find the runs of equal values.

    Parameters
    ----------
    chunks : iterable of ``(r,)``, ``(r, C)``
        Ascending integers without gaps, and the outputs of all channels for them. Outputs outside
        a channel's range are ignored.
    low, high : int64 ``(C,)``
    """
    parts: list[tuple[Array, Array, Array]] = []
    before: Array | None = None
    for grid, values in chunks:
        above = values[:1] if before is None else before[None]
        changes = values != np.concatenate([above, values[:-1]])
        x = grid[:, None]
        rows, channels = np.nonzero((changes & (x > low) & (x <= high)) | (x == low))
        parts.append((channels, grid[rows], values[rows, channels]))
        before = values[-1]
    channel, start, value = (np.concatenate(column) for column in zip(*parts, strict=True))
    return ordered(low, high, channel, start, value)


def ordered(low: Array, high: Array, channel: Array, start: Array, value: Array) -> Staircase:
    """A staircase of runs in any order."""
    order = np.lexsort((start, channel))
    return Staircase(low, high, channel[order], start[order], value[order])
