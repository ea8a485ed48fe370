# SPDX-License-Identifier: BSD-3-Clause
"""FIFO: a queue of beats between two stages."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

import numpy as np

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.integers import divisors
from bonn_hw.ir.kernel import Passthrough
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.rtl import Instance
from bonn_hw.ir.schedule import Schedule
from bonn_hw.kernels.cost import LUT_PER_BRAM36, lut_memory, memory


class Style(IntEnum):
    """What the beats stand in: STYLE of ``fifo.sv``. It changes no cycle."""

    REGISTER = 0
    SHIFT = 1
    LUT = 2
    BLOCK = 3


LONGEST_SHIFT = 32  # places that a LUT shifts


@dataclass(frozen=True, eq=False)
class Fifo(Passthrough):
    """At most ``depth`` beats wait; any lanes. It also cuts the ready path between its ends.

    A full one takes no beat: a depth of 1 moves a beat every other cycle at most.
    """

    stem: ClassVar[str] = "fifo"

    depth: int

    def __post_init__(self) -> None:
        if self.depth < 1:
            raise ValueError(f"a FIFO of depth {self.depth} holds no beat: at least 1")

    def foldings(self) -> Iterator[Folding]:
        """Any lanes that divide the frame."""
        for lanes in divisors(self.input.size):
            yield Folding(lanes, lanes)

    def cycles(self, folding: Folding) -> int:
        """One beat per cycle, or every other cycle."""
        return self.input.size // folding.pe * (2 if self.depth == 1 else 1)

    def schedule(self, folding: Folding) -> Schedule:
        """The oldest held beat is on the wire; taking it releases it."""
        count = self.input.size // folding.pe
        beats = np.arange(1, count + 1, dtype=np.int64)
        return Schedule(beats, beats, np.ones(count, np.bool_), 0, self.depth)

    def style(self, folding: Folding) -> Style:
        """The one that takes the smallest part of a device."""
        if self.depth == 1:
            return Style.REGISTER
        legal = (Style.SHIFT, Style.LUT, Style.BLOCK)[self.depth > LONGEST_SHIFT :]
        return min(legal, key=lambda style: _part(self._made_of(style, folding)))

    def resources(self, folding: Folding) -> Resources:
        """Of the style that is chosen."""
        return self._made_of(self.style(folding), folding)

    def rtl(self, folding: Folding) -> Instance:
        """``fifo.sv``."""
        parameters = {"WIDTH": self._width(folding), "DEPTH": self.depth}
        return Instance("fifo", {**parameters, "STYLE": int(self.style(folding))})

    def _width(self, folding: Folding) -> int:
        return folding.pe * self.input.element.bits

    def _made_of(self, style: Style, folding: Folding) -> Resources:
        """Use of a style: what holds the beats and, a LUT per bit, counters; `take`, `step`, ends."""
        depth, width = self.depth, self._width(folding)
        if style == Style.REGISTER:
            return Resources(lut=3, ff=width + 1)
        bits = (depth - 1).bit_length()
        if style == Style.SHIFT:
            place = max(2, bits) + 1  # of the oldest beat, with a sign
            shift = width / 2 if depth <= 16 else width  # two of up to 16 places fit a LUT
            return Resources(lut=shift + place + 4, ff=place)
        # Pointers with a lap bit, what wraps them, and their comparison, three bits per LUT.
        wrap = 0 if depth == 1 << bits else 1 + -(-bits // 6)
        compare = -(-bits // 3)
        pointers = Resources(lut=2 * (bits + 1 + wrap) + compare + 4, ff=2 * (bits + 1))
        if style == Style.LUT:
            return pointers + Resources(lut=lut_memory(depth, width) + _readout(depth, width))
        # Two bits of the choice per LUT; a second pointer ahead of the one that reads.
        bypass = Resources(lut=width / 2 + compare + 2, ff=width + 1 + bits + 1)
        return pointers + memory(depth, width, math.inf) + bypass


def _part(use: Resources) -> float:
    """How large a part of a device, in LUT."""
    return use.lut + LUT_PER_BRAM36 * use.bram36


def _readout(depth: int, width: int) -> int:
    """LUT that enable the banks of 64 words of a LUT memory and choose one for each bit."""
    banks = -(-depth // 64)
    if banks <= 2:
        return 0 if banks == 1 else 2 + -(-width // 2)
    return banks + width * -(-banks // 4)
