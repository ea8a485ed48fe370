# SPDX-License-Identifier: BSD-3-Clause
"""Pad: a border of one constant around every frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.kernel import Elementwise
from bonn_hw.ir.operation import Border
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.rtl import Bits, Instance
from bonn_hw.ir.schedule import Schedule
from bonn_hw.ir.tensor import Element, Integers, TensorType
from bonn_hw.kernels.cost import counter


@dataclass(frozen=True, eq=False)
class Pad(Elementwise):
    """Frames ``(H, W, C)`` and ``pads`` (top, left, bottom, right) of ``value`` around them.

    The value may be outside the range of the frame if the code of its elements can hold it: zero
    around unsigned integers that start at 3, for example.
    """

    stem: ClassVar[str] = "pad"

    input: TensorType
    pads: tuple[int, int, int, int]
    value: int

    def __post_init__(self) -> None:
        if min(self.pads) < 0:
            raise ValueError(f"pads must not be negative: {self.pads}")
        given, widened = self.input.element, self._element
        coded = (widened.bits, widened.signed) == (given.bits, given.signed)
        if not coded or not widened.holds(np.array([self.value])):
            raise ValueError(f"pad value {self.value} is not one of {self.input}")

    @property
    def inputs(self) -> tuple[TensorType, ...]:
        """The frame."""
        return (self.input,)

    @property
    def outputs(self) -> tuple[TensorType, ...]:
        """The frame and its border."""
        (height, width, channels), (top, left, bottom, right) = self.input.shape, self.pads
        shape = (height + top + bottom, width + left + right, channels)
        return (TensorType(shape, self._element),)

    @property
    def _element(self) -> Element:
        """Range of the frame and its border."""
        element = self.input.element
        if element.bipolar:
            return element
        return Element(min(element.low, self.value), max(element.high, self.value))

    def reference(self, *frames: Integers) -> tuple[Integers, ...]:
        """Pad ``(N, H, W, C)``."""
        top, left, bottom, right = self.pads
        border = ((0, 0), (top, bottom), (left, right), (0, 0))
        return (np.pad(frames[0], border, constant_values=self.value),)

    def operation(self) -> Border:
        """Pixels of one value around the frame."""
        return Border(self.pads, self.value)

    def cycles(self, folding: Folding) -> int:
        """One output beat per cycle."""
        return self.outputs[0].size // folding.pe

    def schedule(self, folding: Folding) -> Schedule:
        """One step per output beat; steps inside the frame accept an input beat."""
        height, width, channels = self.outputs[0].shape
        top, left, bottom, right = self.pads
        inside = np.zeros((height, width, channels // folding.simd), np.int64)
        inside[top : height - bottom, left : width - right] = 1
        beats = np.cumsum(inside)
        return Schedule(beats, beats, np.ones(beats.size, np.bool_), latency=1)

    def resources(self, folding: Folding) -> Resources:
        """Counters and their carries, the flags for rows and columns inside, the output register.

        The border uses set and reset of the output register, so the data path needs no LUT.
        """
        height, width, channels = self.outputs[0].shape
        top, left, bottom, right = self.pads
        extents = [extent for extent in (channels // folding.pe, width, height) if extent > 1]
        inside = ((left, right, width), (top, bottom, height))
        flags = [extent for low, high, extent in inside if low or high]
        ends = sum(2 * -(-extent.bit_length() // 6) for extent in flags)
        data = folding.pe * self.input.element.bits
        lut = len(extents) + ends + 3
        return sum(map(counter, extents), Resources(lut=lut, ff=len(flags) + data + 1))

    def rtl(self, folding: Folding) -> Instance:
        """``pad.sv``."""
        (height, width, channels), (top, left, bottom, right) = self.input.shape, self.pads
        element = self._element
        code = int(element.encode(np.array([self.value]))[0])
        return Instance(
            "pad",
            {
                "LANES": folding.pe,
                "BITS": element.bits,
                "H": height,
                "W": width,
                "FOLDS": channels // folding.pe,
                "TOP": top,
                "LEFT": left,
                "BOTTOM": bottom,
                "RIGHT": right,
                "VALUE": Bits(element.bits, code),
            },
            sources=("cells/counter.sv",),
        )
