# SPDX-License-Identifier: BSD-3-Clause
"""Multi-threshold: integers to those of a few-bit quantiser, by 2^n - 1 thresholds a channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.kernel import Elementwise
from bonn_hw.ir.operation import Lookup
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.rtl import Bits, Instance, MemoryImage
from bonn_hw.ir.schedule import Schedule
from bonn_hw.ir.stream import pack_bits
from bonn_hw.ir.tensor import Element, Integers, TensorType
from bonn_hw.kernels.cost import (
    compare,
    compare_constant,
    counter,
    in_block,
    lane_blocks,
    rom,
)

MOST_BITS = 8


@dataclass(frozen=True, eq=False)
class MultiThreshold(Elementwise):
    """``lowest + (number of thresholds[c] that x reaches)``; lowest is 0 or −2^(n−1).

    Any monotone staircase can be given, whatever the widths of its steps. The RTL finds a code by
    binary search: n comparisons a channel, not 2^n − 1 as in FINN's Thresholding.

    Parameters
    ----------
    element : Element
        Range of the outputs, integers of n bits: of all codes, or of those that occur.
    thresholds : int64 ``(C, 2 ** n - 1)``
        Ascending. One that is not above the smallest input is always reached, one above the
        largest never.
    inverted : bool ``(C,)``
        The output is ``lowest + (number of thresholds that x does not reach)``: it falls.
    steps_in_lut : int or None
        Steps whose thresholds are in LUT; those of the later steps, which have more, are in block
        memory. None: each where it costs less at a fixed price.
    """

    stem: ClassVar[str] = "multi_threshold"

    input: TensorType
    element: Element
    thresholds: NDArray[np.int64]
    inverted: NDArray[np.bool_]
    steps_in_lut: int | None = None

    def __post_init__(self) -> None:
        if self.element.bipolar or self.element.bits > MOST_BITS:
            raise ValueError(
                f"outputs are integers of at most {MOST_BITS} bits, not {self.element}"
            )
        if self.input.element.bipolar:
            raise ValueError("inputs are integers, not bits")
        channels, levels = self.input.shape[2], (1 << self.element.bits) - 1
        if self.thresholds.shape != (channels, levels) or self.inverted.shape != (channels,):
            raise ValueError(
                f"{levels} thresholds and one inversion for each of {channels} channels, not "
                f"{self.thresholds.shape} and {self.inverted.shape}"
            )
        if (np.diff(self.thresholds, axis=1) < 0).any():
            raise ValueError("the thresholds of a channel must ascend")

    @property
    def inputs(self) -> tuple[TensorType, ...]:
        """The integers."""
        return (self.input,)

    @property
    def outputs(self) -> tuple[TensorType, ...]:
        """As many integers of the quantiser."""
        return (TensorType(self.input.shape, self.element),)

    @property
    def _lowest(self) -> int:
        """The output of code 0."""
        return -(1 << self.element.bits - 1) if self.element.signed else 0

    @property
    def alike(self) -> bool:
        """Whether one row serves all channels: every channel has its own."""
        return False

    def apply(self, values: Integers, channels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Compute values of the given channels; both arrays are broadcast."""
        element, (rows, levels) = self.input.element, self.thresholds.shape
        highest = max(int(self.thresholds.max()), element.high)
        apart = highest - min(int(self.thresholds.min()), element.low) + 1
        # One search over all channels, whose thresholds follow on each other.
        ascending = self.thresholds + apart * np.arange(rows)[:, None]
        keys = values.astype(np.int64) + apart * channels
        reached = np.searchsorted(ascending.ravel(), keys, side="right") - levels * channels
        codes: NDArray[np.int64] = np.where(self.inverted[channels], levels - reached, reached)
        return codes + self._lowest

    def reference(self, *frames: Integers) -> tuple[Integers, ...]:
        """Compute ``(N, H, W, C)``."""
        kind = np.int8 if self.element.bits < 8 else np.int16
        found = np.empty(frames[0].shape, kind)
        for channel, levels in enumerate(self.thresholds):
            reached = np.searchsorted(levels, frames[0][..., channel], side="right")
            found[..., channel] = levels.size - reached if self.inverted[channel] else reached
        found += kind(self._lowest)
        return (found,)

    def operation(self) -> Lookup:
        """A function of each value and its channel."""
        return Lookup()

    def cycles(self, folding: Folding) -> int:
        """One beat per cycle."""
        return self.input.size // folding.pe

    def schedule(self, folding: Folding) -> Schedule:
        """One step per beat; two registers a bit, to read and to compare."""
        latency = 2 * self.element.bits - (self._folds(folding) == 1)
        return Schedule.elementwise(self.cycles(folding), latency)

    def _folds(self, folding: Folding) -> int:
        return self.input.shape[2] // folding.pe

    @cached_property
    def level(self) -> Element:
        """Range of the thresholds in memory: of the inputs, and one more if some are never met."""
        element = self.input.element
        return Element(element.low, element.high + int(self.thresholds.max() > element.high))

    @property
    def storage(self) -> int:
        """Memory bits of all thresholds."""
        return int(self.thresholds.size) * self.level.bits

    def _fields(self, step: int) -> NDArray[np.uint8]:
        """What a step compares with, ``(C, 2 ** step, bits)``: the middle of what a code leaves."""
        half = 1 << self.element.bits - step - 1
        codes = (2 * np.arange(1 << step) + 1) * half  # from these codes on, the bit is set
        # Code k is k thresholds reached, or of an inverted channel k not reached.
        place = np.where(self.inverted[:, None], self.thresholds.shape[1] - codes, codes - 1)
        levels = np.take_along_axis(self.thresholds, place, axis=1)
        levels = np.clip(levels, self.level.low, self.level.high)
        fields = pack_bits(levels, 1, self.level).reshape(*levels.shape, -1)
        if step:
            return fields
        inverted = self.inverted.astype(np.uint8)[:, None, None]
        return np.concatenate([fields, inverted], axis=2)

    def _image(self, step: int, folding: Folding) -> MemoryImage:
        fields = self._fields(step).reshape(self._folds(folding), folding.pe, 1 << step, -1)
        words = fields.transpose(0, 2, 1, 3)
        return MemoryImage(words.reshape(words.shape[0] << step, -1))

    def _memory(self, step: int, folding: Folding) -> tuple[int, int]:
        """Words and bits of a memory: of all lanes in the first step, then of each lane."""
        words = self._folds(folding) << step
        return words, self.level.bits if step else folding.pe * (self.level.bits + 1)

    def _in_block(self, step: int, folding: Folding) -> bool:
        """Whether the memories of a step are in block memory."""
        block = None if self.steps_in_lut is None else step >= self.steps_in_lut
        return in_block(*self._memory(step, folding), block)

    def placements(self) -> Iterator[MultiThreshold]:
        """With all thresholds in LUT; those of the last step in block memory; of the last two."""
        for steps in range(self.element.bits, -1, -1):
            yield replace(self, steps_in_lut=steps)

    def resources(self, folding: Folding) -> Resources:
        """Of each step a memory, comparators, and the registers around them."""
        folds, lanes, n = self._folds(folding), folding.pe, self.element.bits
        varied = self.inverted.reshape(folds, lanes)
        carried = int((varied != varied[0]).any(axis=0).sum())  # an inversion in a register
        address = (folds - 1).bit_length()
        use = counter(folds) + Resources(lut=2, ff=2 * n - (folds == 1))
        for step in range(n):
            words, width = self._memory(step, folding)
            beat = address + lanes * self.input.element.bits
            found = lanes * step
            if words > 1:
                use += Resources(ff=beat + found + carried * (step > 0))
            use += Resources(ff=found + lanes + (beat + carried) * (step < n - 1))
            each = (
                compare(self.level.bits, words) if words > 1 else compare_constant(self.level.bits)
            )
            use += Resources(lut=lanes * each)
            block = self._in_block(step, folding)
            if step and block:
                blocks = lane_blocks(words, width, lanes)
                use += Resources(bram36=blocks, block_bits=lanes * words * width)
            else:
                own = rom(words, width, block)
                for _ in range(lanes if step else 1):
                    use += own
        return use

    def rtl(self, folding: Folding) -> Instance:
        """``multi_threshold.sv``."""
        element, steps = self.input.element, range(self.element.bits)
        in_blocks = (self._in_block(step, folding) << step for step in steps)
        return Instance(
            "multi_threshold",
            {
                "LANES": folding.pe,
                "BITS": element.bits,
                "IS_SIGNED": int(element.signed),
                "FOLDS": self._folds(folding),
                "LEVEL_BITS": self.level.bits,
                "OUT_BITS": self.element.bits,
                "OUT_SIGNED": int(self.element.signed),
                "BLOCKS": Bits(MOST_BITS, sum(in_blocks)),
            },
            {f"LEVELS_{step}": self._image(step, folding) for step in steps},
            ("cells/counter.sv", "cells/rom.sv", "cells/search_step.sv"),
        )
