# SPDX-License-Identifier: BSD-3-Clause
"""FIFO: a queue of beats between two stages."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.integers import divisors
from bonn_hw.ir.kernel import Passthrough
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.rtl import Instance
from bonn_hw.ir.schedule import Schedule
from bonn_hw.kernels.cost import LUT_PER_BRAM36, lut_memory, memory


class Style(IntEnum):
    """How the beats are stored: STYLE of ``fifo.sv``. It does not change the timing."""

    REGISTER = 0
    SHIFT = 1
    LUT = 2
    BLOCK = 3
    SKID = 4


LONGEST_SHIFT = 32  # length of a shift register in one LUT


@dataclass(frozen=True, eq=False)
class Fifo(Passthrough):
    """A queue of at most ``depth`` beats, with any lanes. It also cuts the path of `tready`.

    A full FIFO accepts no beat, so with a depth of 1 a beat moves every other cycle at most.
    """

    stem: ClassVar[str] = "fifo"

    depth: int

    def __post_init__(self) -> None:
        if self.depth < 1:
            raise ValueError(f"a FIFO of depth {self.depth} holds no beat: at least 1")

    def foldings(self) -> Iterator[Folding]:
        """Any lanes that divide the elements of a frame."""
        for lanes in divisors(self.input.size):
            yield Folding(lanes, lanes)

    def cycles(self, folding: Folding) -> int:
        """One beat per cycle, or every other cycle."""
        return self.input.size // folding.pe * (2 if self.depth == 1 else 1)

    def schedule(self, folding: Folding) -> Schedule:
        """The output is the oldest beat; it leaves the FIFO when it is accepted."""
        return Schedule.elementwise(self.input.size // folding.pe, 0, self.depth)

    def style(self, folding: Folding) -> Style:
        """The style with the lowest cost."""
        if self.depth == 1:
            return Style.REGISTER
        if self.depth == 2:
            return Style.SKID
        legal = (Style.SHIFT, Style.LUT, Style.BLOCK)[self.depth > LONGEST_SHIFT :]
        return min(legal, key=lambda style: _cost(self._of_style(style, folding)))

    def resources(self, folding: Folding) -> Resources:
        """Resources of the style that is chosen."""
        return self._of_style(self.style(folding), folding)

    def rtl(self, folding: Folding) -> Instance:
        """``fifo.sv``."""
        parameters = {"WIDTH": self._width(folding), "DEPTH": self.depth}
        return Instance("fifo", {**parameters, "STYLE": int(self.style(folding))})

    def _width(self, folding: Folding) -> int:
        return folding.pe * self.input.element.bits

    def _of_style(self, style: Style, folding: Folding) -> Resources:
        """Resources of one style: the storage, the counters and the control logic."""
        depth, width = self.depth, self._width(folding)
        if style == Style.REGISTER:
            return Resources(lut=3, ff=width + 1)
        if style == Style.SKID:  # a LUT selects two bits
            return Resources(lut=width / 2 + 2, ff=2 * width + 2)
        bits = (depth - 1).bit_length()
        if style == Style.SHIFT:
            place = max(2, bits) + 1  # bits of the oldest beat's index, with a sign
            shift = (
                width / 2 if depth <= 16 else width
            )  # a LUT holds two shift registers of up to 16
            return Resources(lut=shift + place + 4, ff=place)
        # Two pointers and their wrapping, the count of beats, and two flags.
        wrap = 0 if depth == 1 << bits else 2
        pointers = Resources(lut=3 * bits + wrap, ff=3 * bits + 2)
        if style == Style.LUT:
            return pointers + Resources(lut=lut_memory(depth, width) + _readout(depth, width))
        # The bypass multiplexer, two bits per LUT.
        bypass = Resources(lut=width / 2 + 4, ff=width + 1)
        return pointers + memory(depth, width, math.inf) + bypass


def _cost(use: Resources) -> float:
    """Cost in LUT; a block memory counts as `LUT_PER_BRAM36`."""
    return use.lut + LUT_PER_BRAM36 * use.bram36


def _readout(depth: int, width: int) -> int:
    """LUT that enable the banks of 64 words of a LUT memory, and the output multiplexer."""
    banks = -(-depth // 64)
    if banks <= 2:
        return 0 if banks == 1 else 2 + -(-width // 2)
    return banks + width * -(-banks // 4)
