# SPDX-License-Identifier: BSD-3-Clause
"""Sliding window: the windows of a convolution, one per output pixel, in raster order."""

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
from bonn_hw.ir.operation import Windows
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.rtl import Instance
from bonn_hw.ir.schedule import Schedule
from bonn_hw.ir.tensor import Integers, TensorType
from bonn_hw.kernels.cost import counter, lut_memory, memory


@dataclass(frozen=True, eq=False)
class SlidingWindow(Kernel):
    """Windows of ``kernel`` (KH, KW) at ``stride`` (SY, SX) that lie completely inside the frame.

    The output has the shape ``(OH, OW, KH*KW*C)``, with taps in the order ky, kx, channel.
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
        """One window per output pixel."""
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

    def operation(self) -> Windows:
        """The windows."""
        return Windows(self.kernel, self.stride)

    def foldings(self) -> Iterator[Folding]:
        """Lanes that divide the channels, on both sides; also a row of taps per beat if useful."""
        channels = self.input.shape[2]
        for lanes in divisors(channels):
            yield Folding(lanes, lanes)
        (rows, columns, size), (height, width, _) = self.outputs[0].shape, self.input.shape
        # A row of taps per beat saves cycles only if the output has more elements than the input.
        if self.kernel[1] > 1 and rows * columns * size > height * width * channels:
            yield Folding(self.kernel[1] * channels, channels)

    def cycles(self, folding: Folding) -> int:
        """One beat per cycle on the side with more beats; the line buffer is deep enough for it."""
        return max(self.input.size // folding.simd, self.outputs[0].size // folding.pe)

    def depth(self, folding: Folding) -> int:
        """Words of the line buffer: a power of two, so that its addresses wrap on their own.

        A word is one output beat. 0 means no buffer: the windows are already in input order.
        """
        if self._in_order:
            return 0
        return power_of_two(_full_rate_words(*self._layout, folding.simd, self._taps(folding)))

    def schedule(self, folding: Folding) -> Schedule:
        """One step per output beat; a word is freed when no later window covers it."""
        if self._in_order:
            covered = self._covered(folding.simd)
            beats = np.arange(1, covered.size + 1, dtype=np.int64)
            return Schedule(beats, beats, covered, latency=1)
        depth = self.depth(folding)
        walk = _walk(*self._layout, folding.simd, self._taps(folding))
        # An input beat is stalled only if it would complete a word for which there is no room.
        capacity = int(walk.completion(np.array(depth)))
        release = walk.completion(walk.freed + depth) - capacity
        need = walk.completion(walk.need - 1) + 1
        return Schedule(need, release, np.ones(need.size, np.bool_), 1, capacity)

    def resources(self, folding: Folding) -> Resources:
        """Line buffer, output register and counters; factors by least squares from Yosys."""
        width = folding.pe * self.input.element.bits
        depth, taps = self.depth(folding), self._taps(folding)
        counters = self._counters(folding)
        if not depth:
            return Resources(lut=1 + 1.5 * counters.lut, ff=counters.ff + width + 1)
        walk = _walk(*self._layout, folding.simd, taps)
        # The fill counter, which may be negative if words are freed early, and the read address.
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
        """Pixels per output beat."""
        return folding.pe // folding.simd

    @property
    def _in_order(self) -> bool:
        """Whether the windows, one after the other, are parts of the frame in raster order."""
        (rows, columns, _), (high, wide) = self.outputs[0].shape, self.kernel
        across = columns == 1 or (high == 1 and self.stride[1] >= wide)
        return across and (rows == 1 or self.stride[0] >= high)

    def _covered(self, lanes: int) -> NDArray[np.bool_]:
        """Which input beats of a frame lie in any window."""
        height, width, channels = self.input.shape
        (rows, columns, _), (high, wide), (down, right) = (
            self.outputs[0].shape, self.kernel, self.stride,
        )  # fmt: skip
        y, x = np.arange(height), np.arange(width)
        in_rows = (y - np.minimum(y // down, rows - 1) * down) < high
        in_columns = (x - np.minimum(x // right, columns - 1) * right) < wide
        return np.repeat(np.logical_and.outer(in_rows, in_columns), channels // lanes)

    def _counters(self, folding: Folding) -> Resources:
        """The counters of ``sliding_window.sv``, without most that synthesis removes as unused."""
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
    """The line buffer; in LUT, more than 64 words need banks and a multiplexer."""
    banks = -(-depth // 64)
    multiplexer = 0.0 if banks == 1 else 3 + banks / 2 + width * banks / (4 if banks <= 4 else 3)
    return memory(depth, width, lut_memory(depth, width) + multiplexer)


_Layout = tuple[tuple[int, int, int], tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, eq=False)
class _Walk:
    """When the steps of a frame need and free words of the line buffer (``sliding_window.sv``).

    Attributes
    ----------
    beats : int
        Input beats of a frame.
    completes : int ``(words of a frame,)``
        Index of the input beat that completes each word, within the frame.
    need, freed : int ``(steps,)``
        Words of the frame that must be complete before each step; words that are free after it.
    """

    beats: int
    completes: NDArray[np.int64]
    need: NDArray[np.int64]
    freed: NDArray[np.int64]

    @property
    def deficit(self) -> int:
        """Most words that are freed before they are complete."""
        return max(0, int((self.freed - self.need).max()))

    def completion(self, word: NDArray[np.int64]) -> NDArray[np.int64]:
        """Indices of the beats that complete words; both are counted over all frames."""
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
    else:  # a word is the part of a window in one row of pixels
        row, pitch, tap_row = columns, 1, 1
        completes = np.add.outer(np.arange(height) * width, np.arange(columns) * right + wide - 1)
    corner = np.add.outer(np.arange(rows) * down * row, np.arange(columns) * pitch).reshape(-1)
    # The first row of taps waits until all rows but the last are complete; the last row waits for
    # its own words.
    need = np.repeat(corner[:, None] + max(high - 2, 0) * row + tap_row, high, axis=1)
    need[:, -1] = corner + (high - 1) * row + tap_row
    # A row frees its words that no later window of the row covers; the last row frees all words
    # before the next window.
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
    """Words that the line buffer must hold so that the side with more beats never stalls.

    That side moves one beat every cycle. If it is the output, input beats arrive as late as their
    deadlines allow (an earlier arrival needs no more room: an early beat can wait outside). If it
    is the input, output beats leave as early as possible. Two consecutive frames are considered,
    because the first rows of the next frame arrive while the last windows are still read.
    """
    walk = _walk(shape, kernel, stride, lanes, taps)
    beats_in, beats_out, words = walk.beats, walk.need.size, walk.completes.size
    period = max(beats_in, beats_out)
    # Beats, words and steps are numbered through two frames.
    need = walk.completion(np.concatenate([walk.need, walk.need + words]) - 1) + 1
    freed = np.concatenate([walk.freed, walk.freed + words])
    beat = np.arange(2 * beats_in)
    if beats_out >= beats_in:
        step_cycle = np.arange(2 * beats_out)
        # First step that needs each beat; a beat that no step needs is due with the next one.
        first_use = np.searchsorted(np.maximum.accumulate(need), beat + 1)
        due = (
            np.append(step_cycle, 2 * period)[first_use] - 1
        )  # used in the cycle after it was accepted
        arrival = np.minimum.accumulate((due - beat)[::-1])[::-1] + beat
    else:
        arrival = beat
        ready = np.maximum.accumulate(need)
        order = np.arange(2 * beats_out)
        step_cycle = np.maximum.accumulate(ready - order) + order
    # The steps before the cycle in which a word is complete must have made room for it.
    word = np.arange(2 * words)
    steps_done = np.searchsorted(step_cycle, arrival[walk.completion(word)] - 1, side="right")
    return max(2, int((word + 1 - np.concatenate([[0], freed])[steps_done]).max()))
