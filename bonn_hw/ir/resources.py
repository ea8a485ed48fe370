# SPDX-License-Identifier: BSD-3-Clause
"""Resources of a device: what a stage is predicted to use, and what a board has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Resources:
    """Predicted use of a device: LUT of all kinds; block memories of 36 kbit, in halves.

    ``block_bits`` is what the block memories hold, which costs nothing more.
    """

    lut: float = 0.0
    ff: float = 0.0
    bram36: float = 0.0
    dsp: float = 0.0
    block_bits: float = 0.0

    def __add__(self, other: Resources) -> Resources:
        ours, theirs = ((*one.astuple(), one.block_bits) for one in (self, other))
        return Resources(*(a + b for a, b in zip(ours, theirs, strict=True)))

    def astuple(self) -> tuple[float, float, float, float]:
        """The four figures that a device has so many of, in the order of the fields."""
        return (self.lut, self.ff, self.bram36, self.dsp)
