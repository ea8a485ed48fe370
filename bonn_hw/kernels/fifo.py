# SPDX-License-Identifier: BSD-3-Clause
"""FIFO: a queue of beats between two stages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bonn_hw.ir.design import Folding
from bonn_hw.ir.rtl import Instance
from bonn_hw.kernels.kernel import Relay, Resources, Schedule, divisors, lut_memory


@dataclass(frozen=True, eq=False)
class Fifo(Relay):
    """At most ``depth`` beats wait; any lanes. It also cuts the ready path between its ends."""

    stem: ClassVar[str] = "fifo"

    depth: int

    def __post_init__(self) -> None:
        if self.depth < 2:
            raise ValueError(f"a FIFO of depth {self.depth} would halve the rate: at least 2")

    def foldings(self) -> Iterator[Folding]:
        """Any lanes that divide the frame."""
        for lanes in divisors(self.input.size):
            yield Folding(lanes, lanes)

    def cycles(self, folding: Folding) -> int:
        """One beat a cycle."""
        return self.input.size // folding.pe

    def schedule(self, folding: Folding) -> Schedule:
        """The oldest held beat is on the wire; taking it releases it."""
        beats = np.arange(1, self.cycles(folding) + 1, dtype=np.int64)
        return Schedule(beats, beats, np.ones(beats.size, np.bool_), 0, self.depth)

    def resources(self, folding: Folding) -> Resources:
        """LUT memory, two pointers and a fill counter."""
        pointer = (self.depth - 1).bit_length()
        width = folding.pe * self.input.element.bits
        return Resources(lut=lut_memory(self.depth, width) + 3 * pointer + 4, ff=3 * pointer + 1)

    def rtl(self, folding: Folding) -> Instance:
        """``fifo.sv``."""
        width = folding.pe * self.input.element.bits
        return Instance("fifo", {"WIDTH": width, "DEPTH": self.depth})
