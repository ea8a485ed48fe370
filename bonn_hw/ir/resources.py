# SPDX-License-Identifier: BSD-3-Clause
"""Resources of a device: predicted for a stage, or available on a board."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter


@dataclass(frozen=True)
class Resources:
    """LUT of all kinds, registers, block memories of 36 kbit (in halves) and DSP slices.

    ``block_bits`` counts the bits stored in block memories; it is no further resource.
    """

    lut: float = 0.0
    ff: float = 0.0
    bram36: float = 0.0
    dsp: float = 0.0
    block_bits: float = 0.0

    def __add__(self, other: Resources) -> Resources:
        # Written out: folding adds up millions of these.
        return Resources(
            self.lut + other.lut,
            self.ff + other.ff,
            self.bram36 + other.bram36,
            self.dsp + other.dsp,
            self.block_bits + other.block_bits,
        )

    @classmethod
    def total(cls, *parts: Resources) -> Resources:
        """The sum of several, added in their order; for many, this is faster than ``+``."""
        return cls(*map(sum, zip(*map(_FIGURES, parts), strict=True)))

    def astuple(self) -> tuple[float, float, float, float]:
        """LUT, FF, BRAM36 and DSP, without ``block_bits``."""
        return (self.lut, self.ff, self.bram36, self.dsp)


_FIGURES = attrgetter("lut", "ff", "bram36", "dsp", "block_bits")
