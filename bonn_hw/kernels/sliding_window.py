# SPDX-License-Identifier: BSD-3-Clause
"""Sliding window: the windows of a convolution, one per output pixel, in raster order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
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
from bonn_hw.kernels.line_buffer import Layout, full_rate_words, walk


@dataclass(frozen=True, eq=False)
class SlidingWindow(Kernel):
    """Windows of ``kernel`` (KH, KW) at ``stride`` (SY, SX) that lie completely inside the frame.

    The output has the shape ``(OH, OW, KH*KW*C)``, with taps in the order ky, kx, channel.
    """

    stem: ClassVar[str] = "sliding_window"

    input: TensorType
    kernel: tuple[int, int]
    stride: tuple[int, int]
    in_block: bool | None = None
    """Whether the line buffer is in block memory; None: where it costs less at a fixed price."""

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
        return power_of_two(full_rate_words(*self._layout, folding.simd, self._taps(folding)))

    def schedule(self, folding: Folding) -> Schedule:
        """One step per output beat; a word is freed when no later window covers it."""
        if self._in_order:
            covered = self._covered(folding.simd)
            beats = np.arange(1, covered.size + 1, dtype=np.int64)
            return Schedule(beats, beats, covered, latency=1)
        depth = self.depth(folding)
        steps = walk(*self._layout, folding.simd, self._taps(folding))
        # An input beat is stalled only if it would complete a word for which there is no room.
        capacity = int(steps.completion(np.array(depth)))
        release = steps.completion(steps.freed + depth) - capacity
        need = steps.completion(steps.need - 1) + 1
        return Schedule(need, release, np.ones(need.size, np.bool_), 1, capacity)

    def alternatives(self, dsp48: bool) -> Iterator[SlidingWindow]:
        """With the line buffer in LUT or in block memory."""
        for in_block in (None,) if self._in_order else (False, True):
            yield replace(self, in_block=in_block)

    def resources(self, folding: Folding) -> Resources:
        """Line buffer, output register and counters; factors by least squares from Yosys."""
        width = folding.pe * self.input.element.bits
        depth, taps = self.depth(folding), self._taps(folding)
        counters = self._counters(folding)
        if not depth:
            return Resources(lut=1 + 1.5 * counters.lut, ff=counters.ff + width + 1)
        steps = walk(*self._layout, folding.simd, taps)
        # The credit, with a sign, and the read address; the flags "full", "valid", "completes".
        credit = (max(depth, steps.lack) - 1).bit_length() + 1
        place = (depth - 1).bit_length()
        pixels = (taps - 1) * folding.simd * self.input.element.bits
        ff = counters.ff + credit + place + 2 + (taps > 1)
        control = Resources(lut=2.3 * credit + 1.3 * counters.lut, ff=ff)
        ring = _ring(depth, width, self.in_block)
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
                "STYLE": int(_ring(depth, width, self.in_block).bram36 > 0),
            },
            sources=("cells/counter.sv",),
        )

    @property
    def _layout(self) -> Layout:
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


def _ring(depth: int, width: int, block: bool | None) -> Resources:
    """The line buffer; in LUT, more than 64 words need banks and a multiplexer."""
    banks = -(-depth // 64)
    multiplexer = 0.0 if banks == 1 else 3 + banks / 2 + width * banks / (4 if banks <= 4 else 3)
    return memory(depth, width, lut_memory(depth, width) + multiplexer, block)
