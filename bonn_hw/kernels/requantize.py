# SPDX-License-Identifier: BSD-3-Clause
"""Requantize: integers to those of a few-bit quantiser, by a shifted linear function."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.kernel import Elementwise
from bonn_hw.ir.operation import Line, Lookup
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.rtl import Bits, Instance, MemoryImage
from bonn_hw.ir.schedule import Schedule
from bonn_hw.ir.stream import pack_bits
from bonn_hw.ir.tensor import Element, Integers, TensorType
from bonn_hw.kernels.cost import counter, in_block, lane_blocks, rom, rom_sequence

FEW = 3  # up to this many ones in the mask of slopes, adders are smaller than a multiplier
WIDEST = 63  # bits of a sum; the reference computes with int64


@dataclass(frozen=True, eq=False)
class Requantize(Elementwise):
    """``clip((slopes[c, s] * low + offsets[c, s]) >> shift, element.low, element.high)``.

    Without segments ``low`` is x. For example ``x // 4`` clipped to 0..3 is one line for all
    channels: slope 1, offset 0, shift 2.

    Parameters
    ----------
    element : Element
        Range of the outputs.
    slopes, offsets : int64 ``(C or 1, 2 ** segment_bits)``
        A line for every channel and segment; one row serves all channels.
    ties_even : bool
        If all bits that are shifted out are zero, the lowest bit of the shifted value is cleared.
        With half an output step added to the offset, this rounds half to even.
    segment_bits : int
        The top bits of x's code are the segment s, as an unsigned index; the other bits are
        ``low``, unsigned. With 0 segment bits ``low`` is x itself (its code if x is bipolar).
    in_block : bool or None
        Whether lines are in block memory; None: where they cost less at a fixed price.
    """

    stem: ClassVar[str] = "requantize"

    input: TensorType
    element: Element
    slopes: NDArray[np.int64]
    offsets: NDArray[np.int64]
    shift: int
    ties_even: bool
    segment_bits: int
    in_block: bool | None = None

    def __post_init__(self) -> None:
        bits, channels = self.input.element.bits, self.input.shape[2]
        if not 0 <= self.segment_bits <= bits:
            raise ValueError(
                f"an input of {bits} bits cannot have {self.segment_bits} segment bits"
            )
        segments = 1 << self.segment_bits
        if self.slopes.shape not in ((channels, segments), (1, segments)):
            raise ValueError(
                f"slopes must have the shape {(channels, segments)} or {(1, segments)}, "
                f"not {self.slopes.shape}"
            )
        if self.offsets.shape != self.slopes.shape:
            raise ValueError(f"{self.offsets.shape} offsets for {self.slopes.shape} slopes")
        if self.shift < int(self.ties_even):
            raise ValueError(f"shift {self.shift} must be at least {int(self.ties_even)}")
        if self.element.bipolar or self.element.bits > 31:
            raise ValueError(f"outputs are integers of at most 31 bits, not {self.element}")
        slope, offset = (
            max(-int(values.min()), int(values.max())) for values in (self.slopes, self.offsets)
        )
        largest = (slope << self._low.bits) + offset
        if max(largest.bit_length() + 1, self._shortest_sum) > WIDEST:
            raise ValueError(
                f"slopes up to {slope}, offsets up to {offset} and shift {self.shift} need sums "
                f"of more than {WIDEST} bits"
            )

    @property
    def inputs(self) -> tuple[TensorType, ...]:
        """The integers."""
        return (self.input,)

    @property
    def outputs(self) -> tuple[TensorType, ...]:
        """As many integers of the quantiser."""
        return (TensorType(self.input.shape, self.element),)

    @property
    def alike(self) -> bool:
        """Whether one row of lines serves all channels."""
        return len(self.slopes) == 1

    @property
    def _low(self) -> Element:
        """Range of ``low``, the argument of a line."""
        element = self.input.element
        if self.segment_bits == 0 and not element.bipolar:
            return element
        return Element(0, (1 << element.bits - self.segment_bits) - 1)

    def apply(self, values: Integers, channels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Compute values of the given channels; both arrays are broadcast."""
        low_bits = self.input.element.bits - self.segment_bits
        codes = self.input.element.encode(values).astype(np.int64)
        if self.segment_bits:
            segment, low = codes >> low_bits, codes & ((1 << low_bits) - 1)
        else:
            segment, low = np.zeros_like(codes), self._low.decode(codes.view(np.uint64))
        line = (np.zeros_like(channels) if self.alike else channels, segment)
        sums = self.slopes[line] * low + self.offsets[line]
        steps = sums >> self.shift
        if self.ties_even:
            steps &= ~(sums & ((1 << self.shift) - 1) == 0).astype(np.int64)
        clipped: NDArray[np.int64] = np.clip(steps, self.element.low, self.element.high)
        return clipped

    def reference(self, *frames: Integers) -> tuple[Integers, ...]:
        """Compute ``(N, H, W, C)``."""
        kind = next(k for k in (np.int8, np.int16, np.int32) if self.element.bits < 8 * k(0).nbytes)
        channels = np.arange(self.input.shape[2], dtype=np.int64)
        return (self.apply(frames[0], channels).astype(kind),)

    def operation(self) -> Line | Lookup:
        """A line for each channel; with several segments, a function of value and channel."""
        if self.segment_bits or self.input.element.bipolar:
            return Lookup()
        channels = self.input.shape[2]
        slopes, offsets = (
            np.broadcast_to(values[:, 0], channels) for values in (self.slopes, self.offsets)
        )
        return Line(slopes, offsets, self.shift, self.ties_even)

    def cycles(self, folding: Folding) -> int:
        """One beat per cycle."""
        return self.input.size // folding.pe

    def schedule(self, folding: Folding) -> Schedule:
        """One step per beat; registers at the output, after reading lines, and after the sum."""
        latency = 1 + self._reads(folding) + self._sums
        return Schedule.elementwise(self.cycles(folding), latency)

    def _reads(self, folding: Folding) -> bool:
        return self._words(folding) > 1 or self._multiplies

    @property
    def _sums(self) -> bool:
        """Whether there are bits below the segment; otherwise the offsets are a lookup table."""
        return self.segment_bits < self.input.element.bits

    def _words(self, folding: Folding) -> int:
        """Number of lines per lane."""
        rows = 1 if self.alike else self.input.shape[2] // folding.pe
        return rows << self.segment_bits

    @property
    def _multiplies(self) -> bool:
        return self.mask.bit_count() > FEW

    def _line_width(self, folding: Folding) -> int:
        """Bits per memory word: one line if each lane has its own memory, otherwise all lanes'."""
        line = self.slope.bits + self.offset.bits
        return line if self.segment_bits or self.alike else folding.pe * line

    @cached_property
    def slope(self) -> Element:
        """Range of the slopes, in two's complement."""
        return _signed(self.slopes)

    @cached_property
    def offset(self) -> Element:
        """Range of the offsets, in two's complement."""
        return _signed(self.offsets)

    @cached_property
    def mask(self) -> int:
        """The bits that are set in any slope."""
        ones = int(np.bitwise_or.reduce(self.slopes, axis=None))
        return ones & ((1 << self.slope.bits) - 1)

    @property
    def storage(self) -> int:
        """Memory bits of all lines."""
        return int(self.slopes.size) * (self.slope.bits + self.offset.bits)

    @property
    def _shortest_sum(self) -> int:
        """Fewest bits of a sum whose shifted value holds both ends of the output range."""
        return self.shift + self.element.bits + (not self.element.signed)

    @cached_property
    def sum_bits(self) -> int:
        """Bits that hold the sum for every possible input."""
        element, segments = self.input.element, 1 << self.segment_bits
        if self.segment_bits == 0:
            lowest, highest = np.array([self._low.low]), np.array([self._low.high])
        else:
            size = 1 << element.bits - self.segment_bits
            base = np.arange(segments, dtype=np.int64) * size
            if element.signed:
                base = np.where(base >> element.bits - 1, base - (1 << element.bits), base)
            first, last = (0, 1) if element.bipolar else (element.low, element.high)
            lowest, highest = (np.clip(end - base, 0, size - 1) for end in (first, last))
        ends = [self.slopes * low + self.offsets for low in (lowest, highest)]
        return max(_signed(np.stack(ends)).bits, self._shortest_sum)

    def placements(self) -> Iterator[Requantize]:
        """With the lines in LUT, and in block memory."""
        for block in (False, True):
            yield replace(self, in_block=block)

    def resources(self, folding: Folding) -> Resources:
        """The memories and, for each lane, an input register, the sum or a DSP slice, clipping."""
        lanes, out = folding.pe, self.element.bits
        reads = self._reads(folding)
        ff = lanes * out + 1 + reads + self._sums
        lane = Resources(lut=self._clip)
        if self._sums and self._multiplies:  # a DSP slice contains the registers
            narrow, wide = sorted((self.slope.bits, self._low.bits))
            lane += Resources(dsp=-(-narrow // 18) * -(-wide // 25))
        elif self._sums:
            kept = self.sum_bits - (0 if self.ties_even else self.shift)
            before = self._low.bits if reads else 0
            lane += Resources(lut=self._adders(folding), ff=kept + before)
        used = Resources(*(lanes * part for part in lane.astuple()))
        return used + self._lines(folding) + Resources(lut=2, ff=ff)

    def _lines(self, folding: Folding) -> Resources:
        """The memories, one for all lanes or one per lane; constant bits need no memory."""
        words, lanes = self._words(folding), folding.pe
        folds = words >> self.segment_bits
        width = self._line_width(folding)
        if in_block(words, width, self.in_block):
            if not self.segment_bits:
                return rom_sequence(words, width, True)
            held = 1 if self.alike else lanes
            first = 0 if self._sums else self.slope.bits  # a table reads no slope
            blocks = lanes // held * lane_blocks(words, width, held, first)
            return counter(folds) + Resources(bram36=blocks, block_bits=words * width * held)
        lines = width // (self.slope.bits + self.offset.bits)
        if not self._sums or (self.slopes == self.slopes[0, 0]).all():
            width -= lines * self.slope.bits
        width -= lines * int(self.offsets.min() >= 0)  # a sign that is constant
        if not self.segment_bits:
            return rom_sequence(words, width, False)
        own = rom(words, width, False)
        return counter(folds) + Resources(*(lanes * part for part in own.astuple()))

    @property
    def _clip(self) -> float:
        """LUT of a lane that clip the shifted sum and handle ties."""
        if not self._sums and self.element.holds(self.offsets):
            return 0
        above = self.sum_bits - self.shift - self.element.bits
        return -(-above // 5) + self.element.bits + self.ties_even * -(-self.shift // 6)

    def _adders(self, folding: Folding) -> float:
        """LUT of the adders of a lane: one per bit of each shifted input."""
        low = self._low
        shifts = [i for i in range(self.slope.bits) if self.mask >> i & 1]
        if not self._reads(folding):  # a LUT per bit adds two numbers and a constant
            return (len(shifts) + 1) / 2 * low.bits
        # Above an unsigned input there are only carries, except for the sign bit of the slope.
        negative = self.slope.bits - 1
        ends = [self.sum_bits - i if low.signed or i == negative else low.bits for i in shifts]
        return sum(ends)

    def _image(self, folding: Folding) -> NDArray[np.uint8]:
        """Bits of the memory, ``(words, bits)``."""
        rows = self.slopes.shape[0]
        lanes = 1 if self.alike else folding.pe
        # Word fold * segments + segment; the line of a lane is at bit lane * (slope + offset bits).
        fields = [
            pack_bits(values.reshape(rows // lanes, lanes, -1).transpose(0, 2, 1), 1, element)
            for values, element in ((self.slopes, self.slope), (self.offsets, self.offset))
        ]
        return np.concatenate(fields, axis=1).reshape(self.slopes.size // lanes, -1)

    def rtl(self, folding: Folding) -> Instance:
        """``requantize.sv``."""
        return Instance(
            "requantize",
            {
                "LANES": folding.pe,
                "BITS": self.input.element.bits,
                "IS_SIGNED": int(self.input.element.signed),
                "FOLDS": self._words(folding) >> self.segment_bits,
                "ALIKE": int(self.alike),
                "SEGMENT_BITS": self.segment_bits,
                "SLOPE_BITS": self.slope.bits,
                "SLOPE_MASK": Bits(self.slope.bits, self.mask),
                "OFFSET_BITS": self.offset.bits,
                "SUM_BITS": self.sum_bits,
                "SHIFT": self.shift,
                "TIES_EVEN": int(self.ties_even),
                "OUT_BITS": self.element.bits,
                "LOW": self.element.low,
                "HIGH": self.element.high,
                "BLOCK": int(
                    in_block(self._words(folding), self._line_width(folding), self.in_block)
                ),
            },
            {"LINES": MemoryImage(self._image(folding))},
            ("cells/counter.sv", "cells/rom.sv", "cells/rom_sequence.sv"),
        )


def _signed(values: NDArray[np.int64]) -> Element:
    """The smallest signed range that holds the values."""
    return Element(min(-1, int(values.min())), max(0, int(values.max())))
