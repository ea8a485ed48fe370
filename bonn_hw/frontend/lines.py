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

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

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
        order = np.lexsort(points[::-1]) if alike else np.argsort(points[0], kind="stable")
        points = points[:, order]
        if alike:  # channels that are alike have the same points
            points = points[:, np.append(True, (points[:, 1:] != points[:, :-1]).any(axis=0))]
        group, x, value = points
        if alike and bool(((np.diff(group) == 0) & (np.diff(x) == 0)).any()):
            return None
        rows = 1 if alike else len(stairs.low)
        return cls(segment_bits, rows, group, x, value)

    @cached_property
    def begins(self) -> Array:
        """Index of the first point of each group that has points."""
        return np.flatnonzero(np.append(True, self.group[1:] != self.group[:-1]))

    @property
    def fewest_bits(self) -> int:
        """Bits that the table of lines has at least.

        Where a segment begins, its offset alone makes the output, so offsets have as many bits as
        these outputs. Slopes that are all the same need no memory.
        """
        begins = self.value[self.x == 0] if self.segment_bits else self.value[:0]
        span = int(begins.max() - begins.min()) if begins.size else 0
        return (self.rows << self.segment_bits) * max(1, span.bit_length())

    def only(self, row: int) -> Pieces:
        """The points of one row."""
        part = self.group >> self.segment_bits == row
        return replace(self, group=self.group[part], x=self.x[part], value=self.value[part])

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
        group = self._without_line(self.pieces, LONGEST_SHIFT)
        return None if group is None else group >> self.pieces.segment_bits

    def kernel(self, kind: TensorType) -> Requantize:
        """The kernel with the smallest possible shift; there is one if no row is without line."""
        pieces = self.pieces
        shift = self._shift()
        low, high = pieces.bounds(shift, self.ties_even, self.element)
        bits = self._steepest(shift).bit_length() - 1
        first = [0, *(sign << k for k in range(bits) for sign in (1, -1))]
        found = _lines(pieces, low, high, 1 << bits, first)
        if isinstance(found, int):
            raise InternalError(f"segment {found} has no line, against expectation")
        groups, half = pieces.rows << pieces.segment_bits, (1 << shift) // 2 * self.ties_even
        slopes, offsets = np.zeros(groups, np.int64), np.zeros(groups, np.int64)
        present = pieces.group[pieces.begins]
        slopes[present], offsets[present] = found[0], found[1] + half
        shape = (pieces.rows, -1)
        parameters = (slopes.reshape(shape), offsets.reshape(shape), shift, self.ties_even)
        return Requantize(kind, self.element, *parameters, pieces.segment_bits)

    def _shift(self) -> int:
        """The smallest possible shift."""
        too_short, possible = int(self.ties_even) - 1, LONGEST_SHIFT
        hard: Pieces | None = None  # a row without lines for the last impossible shift
        while possible - too_short > 1:
            shift = (possible + too_short) // 2
            group = self._without_line(hard, shift) if hard is not None else None
            if group is None:
                group = self._without_line(self.pieces, shift)
                if group is not None:
                    hard = self.pieces.only(group >> self.pieces.segment_bits)
            if group is None:
                possible = shift
            else:
                too_short = shift
        return possible

    def _without_line(self, pieces: Pieces, shift: int) -> int | None:
        low, high = pieces.bounds(shift, self.ties_even, self.element)
        found = _lines(pieces, low, high, self._steepest(shift), cut=True)
        return found if isinstance(found, int) else None

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
    starts = pieces.begins
    slopes, offsets = np.zeros(len(starts), np.int64), np.zeros(len(starts), np.int64)
    # Of the groups without a line so far: their indices, sizes and points, and bounds of the slope.
    open_, sizes = np.arange(len(starts)), np.diff(np.append(starts, len(pieces.group)))
    points = np.arange(len(pieces.group))
    left, right = np.full(len(starts), -steepest), np.full(len(starts), steepest)
    least, most = left.copy(), right.copy()  # slopes that two points do not exclude
    candidates, tried = iter(first), np.sort(np.array(first, np.int64))
    while open_.size:
        candidate = next(candidates, None)
        if candidate is not None:
            slope = np.full(len(open_), candidate)
        else:
            if tried.size:  # what evaluating the candidates everywhere would have shown
                below, above = np.searchsorted(tried, least), np.searchsorted(tried, most, "right")
                left = np.maximum(left, np.append(-FREE, tried)[below] + 1)
                right = np.minimum(right, np.append(tried, FREE)[above] - 1)
                tried = tried[:0]
            slope = (left + right) // 2
        flat, steep = slope < least, slope > most
        if candidate is None:
            left = np.where(flat, np.maximum(left, slope + 1), left)
            right = np.where(steep, np.minimum(right, slope - 1), right)
        here = ~(flat | steep)
        if not here.any():
            continue
        slope, counts = slope[here], sizes[here]
        chosen = points if here.all() else points[np.repeat(here, sizes)]
        found = _offsets(pieces.x[chosen], low[chosen], high[chosen], slope, counts)
        slopes[open_[here][found.fits]] = slope[found.fits]
        offsets[open_[here][found.fits]] = found.offset[found.fits]
        steeper, flatter = found.up > 0, found.down > 0
        for bound, step in ((least, found.up), (left, np.ones_like(slope))):
            bound[here] = np.where(steeper, np.maximum(bound[here], slope + step), bound[here])
        for bound, step in ((most, found.down), (right, np.ones_like(slope))):
            bound[here] = np.where(flatter, np.minimum(bound[here], slope - step), bound[here])
        stuck = ~found.fits & (~(steeper | flatter) | (least[here] > most[here]))
        if stuck.any():
            return int(pieces.group[starts[open_[here][np.argmax(stuck)]]])
        if cut:
            left, right = least.copy(), most.copy()
        here[here] = found.fits
        if here.any():
            points, rest = points[np.repeat(~here, sizes)], ~here
            open_, sizes, left, right = open_[rest], sizes[rest], left[rest], right[rest]
            least, most = least[rest], most[rest]
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
