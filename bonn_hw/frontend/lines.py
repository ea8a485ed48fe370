# SPDX-License-Identifier: BSD-3-Clause
"""Find the lines of the kernel `requantize`.

The kernel has a line per segment: ``(slope * low + offset) >> shift``. Let the quantiser's output
be v for the integers from a to b (a run). The kernel computes v there if ::

    v << shift  <=  slope * x + offset  <  (v + 1) << shift      for x = a and x = b

Between a and b it follows, because a line is monotone. These inequalities are linear in slope and
offset. So a shift is possible if an integer point (slope, offset) satisfies all inequalities of a
segment, for every segment.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bonn_hw.frontend.staircase import Array, Staircase
from bonn_hw.ir.tensor import Element, TensorType
from bonn_hw.kernels.requantize import Requantize

LONGEST_SHIFT = 24
FREE = 1 << 60  # a bound that never binds


@dataclass(frozen=True, eq=False)
class Pieces:
    """Both ends of every run, after a cut at the borders of segments, sorted by group.

    Attributes
    ----------
    segment_bits, rows
        The points of a group share a line; group = ``row * 2 ** segment_bits + segment``.
    group, x, value : int64 ``(P,)``
        ``value`` is the output that the group's line must have at its argument ``x``.
    """

    segment_bits: int
    rows: int
    group: Array
    x: Array
    value: Array

    @classmethod
    def of(
        cls, stairs: Staircase, element: Element, segment_bits: int, alike: bool
    ) -> Pieces | None:
        """Cut the runs; None if the channels should share lines but differ."""
        low_bits = element.bits - segment_bits
        codes = [element.encode(x).astype(np.int64) for x in (stairs.start, stairs.end)]
        if element.signed:  # shifted values are ascending, codes are not
            codes = [stairs.start, stairs.end]
        first, last = (code >> low_bits for code in codes)
        count = last - first + 1
        run = np.repeat(np.arange(len(first)), count)
        segment = np.arange(len(run)) - np.repeat(np.cumsum(count) - count, count) + first[run]
        ends = (
            np.maximum(codes[0][run], segment << low_bits),
            np.minimum(codes[1][run], (segment + 1 << low_bits) - 1),
        )
        row = 0 * run if alike else stairs.channel[run]
        group = (row << segment_bits) + (segment & ((1 << segment_bits) - 1))
        mask = (1 << low_bits) - 1
        x = np.concatenate([end & mask if segment_bits else end for end in ends])
        points = np.stack([np.tile(group, 2), x, np.tile(stairs.value[run], 2)])
        group, x, value = np.unique(points, axis=1) if alike else points[:, np.argsort(points[0])]
        if alike and bool(((np.diff(group) == 0) & (np.diff(x) == 0)).any()):
            return None
        rows = 1 if alike else len(stairs.low)
        return cls(segment_bits, rows, group, x, value)

    def bounds(self, shift: int, ties_even: bool, element: Element) -> tuple[Array, Array]:
        """Smallest and largest sum that results in the value of each point."""
        low = self.value << shift
        high = low + (1 << shift) - 1
        if ties_even:  # without the half step in the offset; ties belong to even values
            half, odd = 1 << shift - 1, self.value & 1
            low, high = low - half + odd, low + half - odd
        low = np.where(self.value == element.low, -FREE, low)
        return low, np.where(self.value == element.high, FREE, high)


def fitted(
    pieces: Pieces, kind: TensorType, element: Element, ties_even: bool
) -> Requantize | None:
    """The kernel with the smallest possible shift; None if there is none."""

    def lines(shift: int, simple: bool = False) -> tuple[Array, Array] | None:
        low, high = pieces.bounds(shift, ties_even, element)
        # The steepest useful line crosses the whole output range within one input integer.
        bits = shift + element.bits + 1
        first = [0, *(sign << k for k in range(bits) for sign in (1, -1))] if simple else []
        return _lines(pieces, low, high, 1 << bits, first)

    # If a shift is possible, a longer one is too: slopes and offsets double.
    shifts = range(int(ties_even), LONGEST_SHIFT + 1)
    if lines(LONGEST_SHIFT) is None:
        return None
    shift = shifts[0] + bisect_left(shifts, True, key=lambda shift: lines(shift) is not None)
    found = lines(shift, simple=True)
    if found is None:
        return None
    groups, half = pieces.rows << pieces.segment_bits, (1 << shift) // 2 if ties_even else 0
    slopes, offsets = np.zeros(groups, np.int64), np.zeros(groups, np.int64)
    present = np.unique(pieces.group)
    slopes[present], offsets[present] = found[0], found[1] + half
    shape = (pieces.rows, -1)
    parameters = (slopes.reshape(shape), offsets.reshape(shape), shift, ties_even)
    return Requantize(kind, element, *parameters, pieces.segment_bits)


def _lines(
    pieces: Pieces, low: Array, high: Array, steepest: int, first: Sequence[int]
) -> tuple[Array, Array] | None:
    """Find a slope and an offset for each group of points; None if a group has no line.

    For a given slope, the offset must lie between the largest ``low - slope * x`` and the smallest
    ``high - slope * x``. The width of this interval is a concave function of the slope. The points
    that bound the interval show on which side of the slope its maximum is, so the slope is found by
    bisection. The slopes in ``first`` are tried before others.
    """
    starts = np.flatnonzero(np.append(True, np.diff(pieces.group) != 0))
    sizes = np.diff(np.append(starts, len(pieces.group)))
    slopes, offsets = np.zeros(len(starts), np.int64), np.zeros(len(starts), np.int64)
    left, right = np.full(len(starts), -steepest), np.full(len(starts), steepest)
    open_ = np.arange(len(starts))  # groups without a line so far
    points = np.arange(len(pieces.group))
    candidates = iter(first)
    while open_.size:
        counts = sizes[open_]
        begins = np.cumsum(counts) - counts
        x, least, most = pieces.x[points], low[points], high[points]
        slope = (left[open_] + right[open_]) // 2
        slope[:] = next(candidates, slope)
        product = np.repeat(slope, counts) * x
        lower = np.maximum.reduceat(least - product, begins)
        upper = np.minimum.reduceat(most - product, begins)
        fits = lower <= upper
        slopes[open_[fits]] = slope[fits]
        offsets[open_[fits]] = np.where(lower > -FREE // 2, lower, np.minimum(upper, FREE // 2))[
            fits
        ]
        # The interval grows with the slope if the point that bounds it from below has the larger x.
        below = least - product == np.repeat(lower, counts)
        above = most - product == np.repeat(upper, counts)
        below_ends = _ends(x, below, begins)
        above_ends = _ends(x, above, begins)
        steeper, flatter = below_ends[0] > above_ends[1], below_ends[1] < above_ends[0]
        left[open_] = np.where(steeper, np.maximum(left[open_], slope + 1), left[open_])
        right[open_] = np.where(flatter, np.minimum(right[open_], slope - 1), right[open_])
        if (~fits & (~(steeper | flatter) | (left[open_] > right[open_]))).any():
            return None
        points = points[np.repeat(~fits, counts)]
        open_ = open_[~fits]
    return slopes, offsets


def _ends(x: Array, chosen: NDArray[np.bool_], begins: Array) -> tuple[Array, Array]:
    """Smallest and largest of the chosen x of each group."""
    smallest: Array = np.minimum.reduceat(np.where(chosen, x, FREE), begins)
    largest: Array = np.maximum.reduceat(np.where(chosen, x, -FREE), begins)
    return smallest, largest
