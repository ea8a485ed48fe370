# SPDX-License-Identifier: BSD-3-Clause
"""Sliding window: the receptive field of every output pixel, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.integers import divisors, power_of_two
from bonn_hw.ir.kernel import Kernel, check_window
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.rtl import Instance
from bonn_hw.ir.schedule import Schedule
from bonn_hw.ir.tensor import Integers, TensorType
from bonn_hw.kernels.cost import counter, lut_memory, memory


@dataclass(frozen=True, eq=False)
class SlidingWindow(Kernel):
    """Windows of ``kernel`` (KH, KW) at ``stride`` (SY, SX) that lie wholly inside the frame.

    Gives ``(OH, OW, KH*KW*C)``, taps in the order ky, kx, channel.
    """

    stem: ClassVar[str] = "sliding_window"

    input: TensorType
    kernel: tuple[int, int]
    stride: tuple[int, int]

    def __post_init__(self) -> None:
        check_window(self.input, self.kernel)
        if min(self.stride) < 1:
            raise ValueError(f"stride must be positive, not {self.stride}")

    @property
    def inputs(self) -> tuple[TensorType, ...]:
        """The frame."""
        return (self.input,)

    @property
    def outputs(self) -> tuple[TensorType, ...]:
        """One window an output pixel."""
        height, width, channels = self.input.shape
        (high, wide), (down, right) = self.kernel, self.stride
        shape = ((height - high) // down + 1, (width - wide) // right + 1, high * wide * channels)
        return (TensorType(shape, self.input.element),)

    def reference(self, *frames: Integers) -> tuple[Integers, ...]:
        """Gather the windows of ``(N, H, W, C)``."""
        (rows, columns, size), (high, wide) = self.outputs[0].shape, self.kernel
        (down, right), channels = self.stride, self.input.shape[2]
        result = np.empty((len(frames[0]), rows, columns, high, wide, channels), frames[0].dtype)
        for ky in range(high):
            for kx in range(wide):
                tap = frames[0][:, ky : ky + rows * down : down, kx : kx + columns * right : right]
                result[:, :, :, ky, kx] = tap[:, :rows, :columns]
        return (result.reshape(-1, rows, columns, size),)

    def foldings(self) -> Iterator[Folding]:
        """Lanes that divide the channels, on both sides; a row of taps per beat, where it pays."""
        channels = self.input.shape[2]
        for lanes in divisors(channels):
            yield Folding(lanes, lanes)
        (rows, columns, size), (height, width, _) = self.outputs[0].shape, self.input.shape
        # One tap a cycle gives as many cycles as there are taps, unless the input has more pixels.
        if self.kernel[1] > 1 and rows * columns * size > height * width * channels:
            yield Folding(self.kernel[1] * channels, channels)

    def cycles(self, folding: Folding) -> int:
        """One beat per cycle on the side that has more of them: the buffer is deep enough for it."""
        return max(self.input.size // folding.simd, self.outputs[0].size // folding.pe)

    def depth(self, folding: Folding) -> int:
        """Words of the line buffer: a power of two, so that its addresses wrap by themselves.

        A word is an output beat as the memory holds it. 0: windows that come as they are wanted.
        """
        if self._in_order:
            return 0
        return power_of_two(_full_rate_words(*self._layout, folding.simd, self._taps(folding)))

    def schedule(self, folding: Folding) -> Schedule:
        """A step per output beat; a word is given back when no later window covers it."""
        if self._in_order:
            covered = self._covered(folding.simd)
            taken = np.arange(1, covered.size + 1, dtype=np.int64)
            return Schedule(taken, taken, covered, latency=1)
        depth = self.depth(folding)
        walk = _walk(*self._layout, folding.simd, self._taps(folding))
        # A beat is held up if it would complete a word that has no room, and only then.
        capacity = int(walk.completion(np.array(depth)))
        release = walk.completion(walk.freed + depth) - capacity
        need = walk.completion(walk.need - 1) + 1
        return Schedule(need, release, np.ones(need.size, np.bool_), 1, capacity)

    def resources(self, folding: Folding) -> Resources:
        """Line buffer, output register and counters; the least squares of synthesised ones."""
        width = folding.pe * self.input.element.bits
        depth, taps = self.depth(folding), self._taps(folding)
        counters = self._counters(folding)
        if not depth:
            return Resources(lut=1 + 1.5 * counters.lut, ff=counters.ff + width + 1)
        walk = _walk(*self._layout, folding.simd, taps)
        # The fill, of which more may be given back than has come, and the place that is read.
        fill = (depth + walk.deficit - 1).bit_length() + 1
        place = (depth - 1).bit_length()
        pixels = (taps - 1) * folding.simd * self.input.element.bits
        control = Resources(lut=2.3 * fill + 1.3 * counters.lut, ff=counters.ff + fill + place + 1)
        ring = _ring(depth, width)
        return control + ring + Resources(ff=pixels + (0 if ring.bram36 else width))

    def rtl(self, folding: Folding) -> Instance:
        """``sliding_window.sv``."""
        height, columns, channels = self.input.shape
        depth, width = self.depth(folding), folding.pe * self.input.element.bits
        return Instance(
            "sliding_window",
            {
                "LANES": folding.simd,
                "BITS": self.input.element.bits,
                "H": height,
                "W": columns,
                "FOLDS": channels // folding.simd,
                "KH": self.kernel[0],
                "KW": self.kernel[1],
                "SY": self.stride[0],
                "SX": self.stride[1],
                "TAPS": self._taps(folding),
                "DEPTH": depth,
                "STYLE": int(_ring(depth, width).bram36 > 0),
            },
            sources=("cells/counter.sv",),
        )

    @property
    def _layout(self) -> _Layout:
        return (self.input.shape, self.kernel, self.stride)

    def _taps(self, folding: Folding) -> int:
        """Pixels of an output beat."""
        return folding.pe // folding.simd

    @property
    def _in_order(self) -> bool:
        """Whether the windows, one after the other, are parts of the frame in its order."""
        (rows, columns, _), (high, wide) = self.outputs[0].shape, self.kernel
        beside = columns == 1 or (high == 1 and self.stride[1] >= wide)
        return beside and (rows == 1 or self.stride[0] >= high)

    def _covered(self, lanes: int) -> NDArray[np.bool_]:
        """Which beats of a frame lie in a window."""
        height, width, channels = self.input.shape
        (rows, columns, _), (high, wide), (down, right) = (
            self.outputs[0].shape, self.kernel, self.stride,
        )  # fmt: skip
        y, x = np.arange(height), np.arange(width)
        in_rows = (y - np.minimum(y // down, rows - 1) * down) < high
        in_columns = (x - np.minimum(x // right, columns - 1) * right) < wide
        return np.repeat(np.logical_and.outer(in_rows, in_columns), channels // lanes)

    def _counters(self, folding: Folding) -> Resources:
        """The counters of ``sliding_window.sv``, most of those apart that nothing depends on."""
        (height, width, channels), (rows, columns, _) = self.input.shape, self.outputs[0].shape
        (high, wide), (down, right) = self.kernel, self.stride
        folds, depth = channels // folding.simd, self.depth(folding)
        if depth:
            states = [depth, high, columns, rows if height > rows * down else 1]
            states += [wide * folds] if self._taps(folding) == 1 else [width, right]
        elif self._covered(1).all():
            states = []
        else:
            in_x, in_y = (width if columns == 1 else right) * folds, height if rows == 1 else down
            tiles_x, tiles_y = -(-width * folds // in_x), -(-height // in_y)
            states = [in_x, tiles_x, in_y, tiles_y if height % in_y else 1]
        return sum((counter(count) for count in states), Resources())


def _ring(depth: int, width: int) -> Resources:
    """A memory of words; with more than 64 in LUT, banks that are enabled and chosen from."""
    banks = -(-depth // 64)
    choice = 0.0 if banks == 1 else 3 + banks / 2 + width * banks / (4 if banks <= 4 else 3)
    return memory(depth, width, lut_memory(depth, width) + choice)


_Layout = tuple[tuple[int, int, int], tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, eq=False)
class _Walk:
    """The steps of a frame in words of the line buffer, ``sliding_window.sv``.

    Attributes
    ----------
    beats : int
        Input beats of a frame.
    completes : int ``(words of a frame,)``
        Place in the frame of the input beat with which a word is complete.
    need, freed : int ``(steps,)``
        Words of the frame that must have come; those that have been given back after the step.
    """

    beats: int
    completes: NDArray[np.int64]
    need: NDArray[np.int64]
    freed: NDArray[np.int64]

    @property
    def deficit(self) -> int:
        """Words by which what is given back may be ahead of what has come."""
        return max(0, int((self.freed - self.need).max()))

    def completion(self, word: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places of the beats that complete words, both counted through all frames."""
        if self.completes.size == self.beats:  # each beat is a word
            return word
        frame, place = np.divmod(word, self.completes.size)
        return frame * self.beats + self.completes[place]


@lru_cache(maxsize=256)
def _walk(
    shape: tuple[int, int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    lanes: int,
    taps: int,
) -> _Walk:
    (height, width, channels), (high, wide), (down, right) = shape, kernel, stride
    rows, columns = (height - high) // down + 1, (width - wide) // right + 1
    folds = channels // lanes
    beats = height * width * folds
    if taps == 1:  # a word is a beat
        row, pitch, tap_row = width * folds, right * folds, wide * folds
        completes = np.arange(beats)
    else:  # a word is what a window covers of a row of pixels
        row, pitch, tap_row = columns, 1, 1
        completes = np.add.outer(np.arange(height) * width, np.arange(columns) * right + wide - 1)
    corner = np.add.outer(np.arange(rows) * down * row, np.arange(columns) * pitch).reshape(-1)
    # A window's first row of taps waits for all rows but the last, which waits for itself.
    need = np.repeat(corner[:, None] + max(high - 2, 0) * row + tap_row, high, axis=1)
    need[:, -1] = corner + (high - 1) * row + tap_row
    # It gives back what no other window has of its row; the last one all before the next window.
    freed = np.repeat(corner[:, None], high * tap_row, axis=1)
    freed[:, tap_row - 1 :] += min(pitch, tap_row)
    freed[:, -1] = np.append(corner[1:], height * row)
    return _Walk(
        beats, completes.reshape(-1), np.repeat(need.reshape(-1), tap_row), freed.reshape(-1)
    )


@lru_cache(maxsize=4096)
def _full_rate_words(
    shape: tuple[int, int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    lanes: int,
    taps: int,
) -> int:
    """Words that must be held so that neither side ever waits more than its own rate asks.

    The side with more beats moves one every cycle. If that is the output, input beats arrive as
    late as their deadlines allow (any earlier schedule needs no more room, since an early beat
    only waits where there is room); if it is the input, output beats leave as early as they can.
    Two frames in a row are looked at, because the next frame's first rows come in while the last
    windows are still read.
    """
    walk = _walk(shape, kernel, stride, lanes, taps)
    taken, given, words = walk.beats, walk.need.size, walk.completes.size
    period = max(taken, given)
    # Two frames, beat, word and step numbers running on.
    need = walk.completion(np.concatenate([walk.need, walk.need + words]) - 1) + 1
    freed = np.concatenate([walk.freed, walk.freed + words])
    beat = np.arange(2 * taken)
    if given >= taken:
        step_cycle = np.arange(2 * given)
        # First step that needs a beat; beats that none needs are due when a later one is.
        first_use = np.searchsorted(np.maximum.accumulate(need), beat + 1)
        due = np.append(step_cycle, 2 * period)[first_use] - 1  # used a cycle after it was taken
        arrival = np.minimum.accumulate((due - beat)[::-1])[::-1] + beat
    else:
        arrival = beat
        ready = np.maximum.accumulate(need)
        order = np.arange(2 * given)
        step_cycle = np.maximum.accumulate(ready - order) + order
    # Steps before the cycle in which a word is complete have made room for it.
    word = np.arange(2 * words)
    steps_done = np.searchsorted(step_cycle, arrival[walk.completion(word)] - 1, side="right")
    return max(2, int((word + 1 - np.concatenate([[0], freed])[steps_done]).max()))
