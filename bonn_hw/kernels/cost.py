# SPDX-License-Identifier: BSD-3-Clause
"""What memories, counters and adder trees take on a 7-series or UltraScale+ device."""

from __future__ import annotations

import numpy as np

from bonn_hw.ir.integers import power_of_two
from bonn_hw.ir.resources import Resources


def lut_memory(depth: int, width: int) -> float:
    """LUT of a simple dual-port LUT memory (UG474): 4 of them hold 32 x 6 or 64 x 3 bits."""
    if depth <= 1:
        return 0.0
    if depth <= 32:
        return 4 * -(-width // 6)
    return 4 * -(-width // 3) * -(-depth // 64)


# A Zynq 7020 has 380 LUT for a block memory. Fast 1-bit networks run out of LUT and leave half of
# the block memories, so that one is worth half of this.
LUT_PER_BRAM36 = 190
BRAM36_BITS = 36 * 1024
RAMB18 = ((16384, 1), (8192, 2), (4096, 4), (2048, 9), (1024, 18), (512, 36))  # words, bits (UG473)


def blocks(depth: int, width: int) -> tuple[float, int]:
    """Block memories of 36 kbit, in halves, that hold ``depth`` words of ``width`` bits; banks.

    Words beyond the end of a memory stand beside those before, in the bits that these leave over;
    of equally many memories those are taken that need the fewest such banks.
    """
    halves, banks = min((-(-width * -(-depth // d) // w), -(-depth // d)) for d, w in RAMB18)
    return halves / 2, banks


def memory(depth: int, width: int, in_lut: float) -> Resources:
    """LUT or block memory, whichever is the smaller part of a device.

    Parameters
    ----------
    in_lut : float
        LUT that the memory takes outside block memory.
    """
    in_blocks, banks = blocks(depth, width)
    choice = 0.35 * width * banks if banks > 1 else 0.0
    if in_lut <= LUT_PER_BRAM36 * in_blocks + choice:
        return Resources(lut=in_lut)
    return Resources(lut=choice, bram36=in_blocks, block_bits=depth * width)


def rom(depth: int, width: int) -> Resources:
    """A `rom.sv`: constants and the register behind them; a single word is no memory at all.

    As logic, a LUT has 64 constants, or twice 32 where both functions see the same address; two of
    them and a multiplexer of the slice have 128. Beyond, Yosys makes no use of more multiplexers,
    and of up to eight words it makes sets and resets of registers, which pair less (measured).
    """
    if depth <= 1:
        return Resources()
    functions: float = width
    if depth <= 16:  # of few addresses: what is random then repeats itself, or is constant
        possible = 1 << depth
        functions = (possible - 2) * (1 - (1 - 1 / possible) ** width)
    if depth <= 64:
        a_bit = max(0.68 if 4 < depth <= 8 else 0.5, power_of_two(depth) / 64)
    else:
        full = 4 + min(4.0, width / 32)  # of 256 words; wide ones share less
        a_bit = float(np.interp(depth, (65, 128, 144, 256), (2, 2, 3.2, full)))
        a_bit *= max(1.0, depth / 256)
    use = memory(depth, width, functions * a_bit)
    return use if use.bram36 else use + Resources(ff=functions)


def rom_sequence(depth: int, width: int) -> Resources:
    """A `rom_sequence.sv`: the constants, the address and the counter that runs ahead of it."""
    return rom(depth, width) + counter(depth) + Resources(ff=counter(depth).ff)


def in_block(depth: int, width: int) -> bool:
    """Whether constants stand in block memory."""
    return rom(depth, width).bram36 > 0


def counter(states: int) -> Resources:
    """A counter that returns to 0 after ``states``: a LUT per bit, and where it ends."""
    bits = (states - 1).bit_length()
    ends = states > 1 and states & (states - 1)
    return Resources(lut=bits * 0.75 + (bits / 5 if ends else 0), ff=bits)


def adder_tree_depth(numbers: int) -> int:
    """Levels of an `adder_tree.sv`, three numbers to one."""
    levels, span = 0, 1
    while span < numbers:
        levels, span = levels + 1, 3 * span
    return levels


def adder_tree(numbers: int, bits: int, signed: bool, cuts: int) -> Resources:
    """An `adder_tree.sv`: a LUT for each bit that is added, of two or three numbers."""
    lut = ff = 0
    for level in range(1, adder_tree_depth(numbers) + 1):
        span = 3**level
        narrow = _sum_bits(min(span // 3, numbers), bits, signed)
        wide = _sum_bits(min(span, numbers), bits, signed)
        count = -(-numbers // span)
        below = -(-numbers // (span // 3))
        alone = below % 3 == 1  # the last number has none to be added to
        lut += (count - alone) * (wide if signed else narrow)
        if level % 2 and level < 2 * cuts:
            ff += count * wide
    return Resources(lut=lut, ff=ff)


def _sum_bits(numbers: int, bits: int, signed: bool) -> int:
    if signed:
        return bits + (numbers - 1).bit_length()
    return (numbers * ((1 << bits) - 1)).bit_length()
