# SPDX-License-Identifier: BSD-3-Clause
"""FIFO: a queue of beats between two stages."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
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

# Taps of the shift registers with feedback that run through all states but one, by their bits
# (Xilinx application note 052, table 3): bit i - 1 is tap i.
TAPS = {
    bits: sum(1 << tap - 1 for tap in (bits, *others))
    for bits, *others in (
        *((2, 1), (3, 2), (4, 3), (5, 3), (6, 5), (7, 6), (8, 6, 5, 4), (9, 5), (10, 7), (11, 9)),
        *((12, 6, 4, 1), (13, 4, 3, 1), (14, 5, 3, 1), (15, 14), (16, 15, 13, 4), (17, 14)),
    )
}


@dataclass(frozen=True, eq=False)
class Fifo(Passthrough):
    """A queue of at most ``depth`` beats, with any lanes. It also cuts the path of `tready`.

    A full FIFO accepts no beat, so with a depth of 1 a beat moves every other cycle at most.
    """

    stem: ClassVar[str] = "fifo"

    depth: int
    in_block: bool | None = None
    """Whether it is in block memory; None: where it costs less at a fixed price."""

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

    def placements(self) -> Iterator[Fifo]:
        """In LUT, and in block memory if it is longer than two registers."""
        for in_block in (False, True)[: 1 + (self.depth > 2)]:
            yield replace(self, in_block=in_block)

    def style(self, folding: Folding) -> Style:
        """The style with the lowest cost, of those where the FIFO may be."""
        if self.depth == 1:
            return Style.REGISTER
        if self.depth == 2:
            return Style.SKID
        if self.in_block:
            return Style.BLOCK
        legal = (Style.SHIFT, Style.LUT, Style.BLOCK)[self.depth > LONGEST_SHIFT :]
        if self.in_block is not None:
            legal = legal[:-1]
        return min(legal, key=lambda style: _cost(self._of_style(style, folding)))

    def resources(self, folding: Folding) -> Resources:
        """Resources of the style that is chosen."""
        return self._of_style(self.style(folding), folding)

    def rtl(self, folding: Folding) -> Instance:
        """``fifo.sv``."""
        style, width = self.style(folding), self._width(folding)
        parameters = {"WIDTH": width, "DEPTH": self.depth, "STYLE": int(style)}
        return Instance("fifo", {**parameters, "TAPS": _taps(style, self.depth, width)})

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
        # The count of beats and two flags; two pointers and their wrapping.
        taps, wrap = _taps(style, depth, width), 0 if depth == 1 << bits else 2
        pointers = 4 if taps else 2 * bits + wrap
        places = depth.bit_length() if taps else bits
        control = Resources(lut=bits + pointers, ff=bits + 2 * places + 2)
        if style == Style.LUT:
            return control + _ring(style, depth, width)
        # The bypass multiplexer, two bits per LUT.
        bypass = Resources(lut=width / 2 + 4, ff=width + 1)
        return control + _ring(style, depth, width) + bypass


def _ring(style: Style, depth: int, width: int) -> Resources:
    """The memory of a ring, and how it is read."""
    if style == Style.BLOCK:
        return memory(depth, width, math.inf)
    return Resources(lut=lut_memory(depth, width) + _readout(depth, width))


def _taps(style: Style, depth: int, width: int) -> int:
    """Taps of the pointers of a ring; 0 for pointers that count, and where there is no ring.

    The shift register leaves one place unused, so that it needs more places than `depth`. The
    pointers count where the memory would be larger for it.
    """
    bits = depth.bit_length()
    if style not in (Style.LUT, Style.BLOCK) or bits not in TAPS:
        return 0
    more, exact = _ring(style, 1 << bits, width), _ring(style, depth, width)
    return TAPS[bits] if (more.lut, more.bram36) == (exact.lut, exact.bram36) else 0


def _cost(use: Resources) -> float:
    """Cost in LUT; a block memory counts as `LUT_PER_BRAM36`."""
    return use.lut + LUT_PER_BRAM36 * use.bram36


def _readout(depth: int, width: int) -> int:
    """LUT that enable the banks of 64 words of a LUT memory, and the output multiplexer."""
    banks = -(-depth // 64)
    if banks <= 2:
        return 0 if banks == 1 else 2 + -(-width // 2)
    return banks + width * -(-banks // 4)
