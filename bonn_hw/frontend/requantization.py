# SPDX-License-Identifier: BSD-3-Clause
"""Fit the parameters of the kernel `requantize` to the output of a quantiser for every integer.

The kernel has a line per segment: ``(slope * low + offset) >> shift``. Let the quantiser's output
be v for the integers from a to b (a run). The kernel computes v there if ::

    v << shift  <=  slope * x + offset  <  (v + 1) << shift      for x = a and x = b

Between a and b it follows, because a line is monotone. These inequalities are linear in slope and
offset. So a shift is possible if an integer point (slope, offset) satisfies all inequalities of a
segment, for every segment.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bonn_hw.errors import InternalError, UnsupportedModel
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.tensor import Element, TensorType
from bonn_hw.kernels.requantize import FEW, Requantize

LONGEST_SHIFT = 24
LARGEST_TABLE = 1 << 22  # bits
FREE = 1 << 60  # a bound that never binds
LUT_PER_BRAM36, LUT_PER_DSP = 380, 240  # ratios on a Zynq 7020

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
        once = np.bincount(self.channel).max() <= 2
        return bool(once and (np.abs(self.value) == 1).all())

    def constant(self, channels: int) -> Array:
        """Channels whose output is the same for every integer; one channel stands for all."""
        alone = np.flatnonzero(np.bincount(self.channel, minlength=len(self.low)) == 1)
        if len(self.low) == channels:
            return alone
        return np.arange(channels) if alone.size else alone

    def differing(self, other: Staircase) -> set[int]:
        """Channels in which another staircase over the same integers differs."""
        runs = [
            set(zip(one.channel.tolist(), one.start.tolist(), one.value.tolist(), strict=True))
            for one in (self, other)
        ]
        return {channel for channel, _, _ in runs[0] ^ runs[1]}


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
    order = np.lexsort((start, channel))
    return Staircase(low, high, channel[order], start[order], value[order])


def fit(stairs: Staircase, kind: TensorType, element: Element, source: str) -> Requantize:
    """Find the cheapest kernel that computes exactly these outputs.

    The lines are the same for all channels, or separate per channel; a staircase of one channel
    stands for all. Fewer segments need less memory. Often one segment is enough, but float32
    rounding may move single steps of a batch norm by one integer, so that no single line fits.

    Parameters
    ----------
    kind : TensorType
        Type of the input.
    element : Element
        Range of the outputs, to which the kernel clips.
    source : str
        Name of the layer, for messages.

    Raises
    ------
    UnsupportedModel
        If even a lookup table would be too large for a device.
    """
    best: tuple[float, Requantize] | None = None
    bits = kind.element.bits
    for alike in (True, False) if len(stairs.low) == kind.shape[2] else (True,):
        rows = 1 if alike else kind.shape[2]
        for segment_bits in range(bits + 1):
            memory = (rows << segment_bits) * 2  # each line has at least two bits
            if memory > LARGEST_TABLE or (best and best[0] <= memory / 64):
                break
            pieces = _Pieces.of(stairs, kind.element, segment_bits, alike)
            if pieces is None:
                break  # channels differ
            for ties_even in (False, True):
                kernel = _fitted(pieces, kind, element, ties_even)
                if kernel is not None and (best is None or _cost(kernel) < best[0]):
                    best = (_cost(kernel), kernel)
            if best and best[1].mask.bit_count() <= FEW:
                break  # there is no multiplier that more segments could save
        if best:
            break
    if best is None or best[1].storage > LARGEST_TABLE:
        raise UnsupportedModel(
            f"{source}: its values need more than {LARGEST_TABLE} bits of tables to be quantised "
            "exactly; use power-of-two scales, or fewer channels"
        )
    kernel = best[1]
    if wrong_channels(stairs, kernel).any():
        raise InternalError(f"{source}: the fitted requantizer differs from the quantiser")
    return kernel


def wrong_channels(stairs: Staircase, kernel: Requantize) -> NDArray[np.bool_]:
    """Channels ``(C,)`` in which a kernel differs from a quantiser.

    A staircase of one channel stands for all. Lines are monotone: the ends of a run show all of it.
    """
    channels = kernel.input.shape[2]
    wrong = np.zeros(channels, np.bool_)
    for channel in range(channels) if len(stairs.low) == 1 and not kernel.alike else (None,):
        place = stairs.channel if channel is None else np.full_like(stairs.channel, channel)
        for x in (stairs.start, stairs.end):
            wrong[place[kernel.apply(x, place) != stairs.value]] = True
    return wrong


def _cost(kernel: Requantize) -> float:
    used = kernel.resources(Folding(1, 1))
    return used.lut + LUT_PER_BRAM36 * used.bram36 + LUT_PER_DSP * used.dsp


@dataclass(frozen=True, eq=False)
class _Pieces:
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
    ) -> _Pieces | None:
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


def _fitted(
    pieces: _Pieces, kind: TensorType, element: Element, ties_even: bool
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
    shift = shifts[0] + bisect_left(shifts, True, key=lambda shift: lines(shift) is not None)
    fitted = lines(shift, simple=True) if shift in shifts else None
    if fitted is None:
        return None
    groups, half = pieces.rows << pieces.segment_bits, (1 << shift) // 2 if ties_even else 0
    slopes, offsets = np.zeros(groups, np.int64), np.zeros(groups, np.int64)
    present = np.unique(pieces.group)
    slopes[present], offsets[present] = fitted[0], fitted[1] + half
    shape = (pieces.rows, -1)
    parameters = (slopes.reshape(shape), offsets.reshape(shape), shift, ties_even)
    return Requantize(kind, element, *parameters, pieces.segment_bits)


def _lines(
    pieces: _Pieces, low: Array, high: Array, steepest: int, first: Sequence[int]
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
