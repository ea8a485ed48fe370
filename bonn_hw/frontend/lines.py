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

from bonn_hw.errors import InternalError
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


@dataclass(frozen=True)
class Search:
    """How the lines of some pieces are searched for.

    Attributes
    ----------
    ties_even : bool
        Whether the kernel rounds half to even instead of down.
    """

    pieces: Pieces
    element: Element
    ties_even: bool

    def row_without_line(self) -> int | None:
        """A row that has no line with any shift, because some segment of it has none."""
        # If a shift is possible, a longer one is too: slopes and offsets double.
        low, high = self.pieces.bounds(LONGEST_SHIFT, self.ties_even, self.element)
        found = _lines(self.pieces, low, high, self._steepest(LONGEST_SHIFT), cut=True)
        return int(found) >> self.pieces.segment_bits if isinstance(found, int) else None

    def kernel(self, kind: TensorType) -> Requantize:
        """The kernel with the smallest possible shift; there is one if no row is without line."""
        pieces, shifts = self.pieces, range(int(self.ties_even), LONGEST_SHIFT)
        shift = shifts[0] + bisect_left(shifts, True, key=self._possible)
        low, high = pieces.bounds(shift, self.ties_even, self.element)
        bits = self._steepest(shift).bit_length() - 1
        first = [0, *(sign << k for k in range(bits) for sign in (1, -1))]
        found = _lines(pieces, low, high, 1 << bits, first)
        if isinstance(found, int):
            raise InternalError(f"segment {found} has no line, against expectation")
        groups, half = pieces.rows << pieces.segment_bits, (1 << shift) // 2 * self.ties_even
        slopes, offsets = np.zeros(groups, np.int64), np.zeros(groups, np.int64)
        present = np.unique(pieces.group)
        slopes[present], offsets[present] = found[0], found[1] + half
        shape = (pieces.rows, -1)
        parameters = (slopes.reshape(shape), offsets.reshape(shape), shift, self.ties_even)
        return Requantize(kind, self.element, *parameters, pieces.segment_bits)

    def _possible(self, shift: int) -> bool:
        low, high = self.pieces.bounds(shift, self.ties_even, self.element)
        found = _lines(self.pieces, low, high, self._steepest(shift), cut=True)
        return not isinstance(found, int)

    def _steepest(self, shift: int) -> int:
        """The steepest useful line crosses the whole output range within one input integer."""
        return 1 << shift + self.element.bits + 1


def _lines(
    pieces: Pieces,
    low: Array,
    high: Array,
    steepest: int,
    first: Sequence[int] = (),
    cut: bool = False,
) -> tuple[Array, Array] | int:
    """Find a slope and an offset for each group of points, or a group that has no line.

    For a given slope, the offset must lie between the largest ``low - slope * x`` and the smallest
    ``high - slope * x``. The width of this interval is a concave function of the slope. The points
    that bound the interval show on which side of the slope its maximum is, so the slope is found by
    bisection. The slopes in ``first`` are tried before others.

    Two of these points alone exclude many slopes: those for which they leave no offset. Such slopes
    are not evaluated. With `cut`, the bisection leaves them out: it is faster, and finds others.
    """
    starts = np.flatnonzero(np.append(True, np.diff(pieces.group) != 0))
    sizes = np.diff(np.append(starts, len(pieces.group)))
    slopes, offsets = np.zeros(len(starts), np.int64), np.zeros(len(starts), np.int64)
    left, right = np.full(len(starts), -steepest), np.full(len(starts), steepest)
    least, most = left.copy(), right.copy()  # slopes that two points do not exclude
    open_ = np.arange(len(starts))  # groups without a line so far
    points = np.arange(len(pieces.group))
    candidates = iter(first)
    while open_.size:
        slope = (left[open_] + right[open_]) // 2
        slope[:] = next(candidates, slope)
        flat, steep = slope < least[open_], slope > most[open_]
        left[open_[flat]] = np.maximum(left[open_[flat]], slope[flat] + 1)
        right[open_[steep]] = np.minimum(right[open_[steep]], slope[steep] - 1)
        here = ~flat & ~steep
        if not here.any():
            continue
        some, slope, counts = open_[here], slope[here], sizes[open_[here]]
        chosen = points if here.all() else points[np.repeat(here, sizes[open_])]
        found = _offsets(pieces.x[chosen], low[chosen], high[chosen], slope, counts)
        slopes[some[found.fits]] = slope[found.fits]
        offsets[some[found.fits]] = found.offset[found.fits]
        steeper, flatter = found.up > 0, found.down > 0
        least[some] = np.where(steeper, np.maximum(least[some], slope + found.up), least[some])
        most[some] = np.where(flatter, np.minimum(most[some], slope - found.down), most[some])
        stuck = ~found.fits & (~(steeper | flatter) | (least[some] > most[some]))
        if stuck.any():
            return int(pieces.group[starts[some[np.argmax(stuck)]]])
        left[some] = np.where(steeper, np.maximum(left[some], slope + 1), left[some])
        right[some] = np.where(flatter, np.minimum(right[some], slope - 1), right[some])
        if cut:
            left[some], right[some] = least[some], most[some]
        here[here] = found.fits
        if here.any():
            points = points[np.repeat(~here, sizes[open_])]
            open_ = open_[~here]
    return slopes, offsets


@dataclass(frozen=True)
class _Offsets:
    """Whether there is an offset for a slope, and one; otherwise, the steps to other slopes.

    The slope must rise by at least ``up``, or fall by at least ``down``; both are zero if it fits,
    or if no slope does.
    """

    fits: NDArray[np.bool_]
    offset: Array
    up: Array
    down: Array


def _offsets(x: Array, low: Array, high: Array, slope: Array, counts: Array) -> _Offsets:
    """Find the offsets of groups of `counts` points, with one slope each."""
    begins = np.cumsum(counts) - counts
    product = np.repeat(slope, counts) * x
    least, most = low - product, high - product
    lower, upper = np.maximum.reduceat(least, begins), np.minimum.reduceat(most, begins)
    fits = lower <= upper
    offset = np.where(lower > -FREE // 2, lower, np.minimum(upper, FREE // 2))
    # The interval grows with the slope if the point that bounds it from below has the larger x.
    below = _ends(x, least == np.repeat(lower, counts), begins)
    above = _ends(x, most == np.repeat(upper, counts), begins)
    up, down = below[0] - above[1], above[0] - below[1]
    missing = np.where(fits, 0, lower - upper)
    return _Offsets(
        fits,
        offset,
        np.where(up > 0, -(-missing // np.maximum(up, 1)), 0),
        np.where(down > 0, -(-missing // np.maximum(down, 1)), 0),
    )


def _ends(x: Array, chosen: NDArray[np.bool_], begins: Array) -> tuple[Array, Array]:
    """Smallest and largest of the chosen x of each group."""
    smallest: Array = np.minimum.reduceat(np.where(chosen, x, FREE), begins)
    largest: Array = np.maximum.reduceat(np.where(chosen, x, -FREE), begins)
    return smallest, largest
