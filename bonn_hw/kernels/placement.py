# SPDX-License-Identifier: BSD-3-Clause
"""Where a unit's constants and sums are: in LUT, in block memory, in DSP slices."""

from __future__ import annotations

from dataclasses import dataclass

# Bits of an accumulator in a DSP48 and how many of them a slice has (UG479, "SIMD mode").
ACCUMULATORS = ((12, 4), (24, 2), (48, 1))


@dataclass(frozen=True)
class Placement:
    """What a matrix unit is made of, where the device leaves a choice.

    Attributes
    ----------
    weights_in_block : bool or None
        Whether weights are in block memory; None: where they cost less at a fixed price
        (`cost.memory`).
    sums_in_dsp : bool
        Whether the accumulators are in DSP48 slices.
    levels_in_block : bool or None
        As `weights_in_block`, of the levels.
    parities : bool or None
        Whether a unit of 1-bit weights and inputs stores every third weight as a parity
        (`cells/xnor_popcount.sv`); None: where it is smaller for it.
    """

    weights_in_block: bool | None = None
    sums_in_dsp: bool = False
    levels_in_block: bool | None = None
    parities: bool | None = None


BY_PRICE = Placement()


def slices(lanes: int, bits: int) -> int:
    """DSP48 slices of so many accumulators; raises ValueError if they are too wide."""
    for wide, each in ACCUMULATORS:
        if bits <= wide:
            return -(-lanes // each)
    raise ValueError(f"an accumulator of {bits} bits does not fit a DSP slice of 48 bits")
