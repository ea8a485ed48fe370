# SPDX-License-Identifier: BSD-3-Clause
"""Resources of memories, counters and adder trees on a 7-series or UltraScale+ device."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from bonn_hw.ir.integers import power_of_two
from bonn_hw.ir.resources import Resources

# A search folds thousands of networks of the same few memories, counters and adders.
kept = lru_cache(1 << 15)


def lut_memory(depth: int, width: int) -> float:
    """LUT of a simple dual-port LUT memory (UG474): 4 LUT hold 32 x 6 or 64 x 3 bits."""
    if depth <= 1:
        return 0.0
    if depth <= 32:
        return 4 * -(-width // 6)
    return 4 * -(-width // 3) * -(-depth // 64)


def single_port(depth: int, width: int) -> float:
    """LUT of a memory that is read and written at one address (UG474).

    A LUT holds 64 bits, four LUT hold 32 words of 8 bits; up to 256 words the multiplexers of a
    slice select the output.
    """
    if depth <= 1:
        return 0.0
    if depth <= 32:
        return 4 * -(-width // 8)
    if depth <= 256:
        return width * -(-depth // 64)
    parts = -(-depth // 256)
    return parts + width * (4 * parts + -(-(parts - 1) // 3))


# A Zynq 7020 has 380 LUT per block memory. Fast 1-bit networks run out of LUT and leave half of the
# block memories unused, so one block memory counts as half of that.
LUT_PER_BRAM36 = 190
BRAM36_BITS = 36 * 1024
RAMB18 = ((16384, 1), (8192, 2), (4096, 4), (2048, 9), (1024, 18), (512, 36))  # words, bits (UG473)


def blocks(depth: int, width: int) -> tuple[float, int]:
    """Block memories of 36 kbit (in halves) for ``depth`` words of ``width`` bits, and banks.

    If there are more words than a memory has addresses, the words are split into banks, which use
    other bits of the same memories. Of all shapes of `RAMB18` that need the fewest memories, the
    one with the fewest banks is chosen.
    """
    halves, banks = min((-(-width * -(-depth // d) // w), -(-depth // d)) for d, w in RAMB18)
    return halves / 2, banks


def memory(depth: int, width: int, in_lut: float, block: bool | None = None) -> Resources:
    """Resources of a memory in LUT or in block memory.

    Parameters
    ----------
    in_lut : float
        LUT of the memory if it is not in block memory.
    block : bool or None
        Whether it is in block memory; None: where it costs less.
    """
    in_blocks, banks = blocks(depth, width)
    multiplexer = 0.35 * width * banks if banks > 1 else 0.0
    if block is None:
        block = in_lut > LUT_PER_BRAM36 * in_blocks + multiplexer
    if not block:
        return Resources(lut=in_lut)
    return Resources(lut=multiplexer, bram36=in_blocks, block_bits=depth * width)


@kept
def rom(depth: int, width: int, block: bool | None = None) -> Resources:
    """Resources of `rom.sv`: the constants and their output register; none for a single word.

    ``block`` is that of `memory`.

    In logic, one LUT holds 64 constants, or two functions of 32 constants at the same address. Two
    LUT and a multiplexer of the slice hold 128. Larger tables get no further multiplexers from
    Yosys. Up to eight words become sets and resets of registers, which share LUT less well
    (measured).
    """
    if depth <= 1:
        return Resources()
    functions: float = width
    if depth <= 16:  # few words: some of the random columns are equal or constant
        possible = 1 << depth
        functions = (possible - 2) * (1 - (1 - 1 / possible) ** width)
    if depth <= 64:
        per_bit = max(0.68 if 4 < depth <= 8 else 0.5, power_of_two(depth) / 64)
    else:
        full = 4 + min(4.0, width / 32)  # for 256 words; wide memories share fewer LUT
        per_bit = float(np.interp(depth, (65, 128, 144, 256), (2, 2, 3.2, full)))
        per_bit *= max(1.0, depth / 256)
    use = memory(depth, width, functions * per_bit, block)
    return use if use.bram36 else use + Resources(ff=functions)


@kept
def rom_sequence(depth: int, width: int, block: bool | None = None) -> Resources:
    """Resources of `rom_sequence.sv`: the constants, the address, and a counter one step ahead."""
    return rom(depth, width, block) + counter(depth) + Resources(ff=(depth - 1).bit_length())


def in_block(depth: int, width: int, block: bool | None = None) -> bool:
    """Whether constants are stored in block memory; ``block`` is that of `memory`."""
    return rom(depth, width, block).bram36 > 0


def lane_blocks(words: int, width: int, lanes: int, first: int = 0) -> float:
    """Block memories of 36 kbit of lanes that each read their own columns of the same words.

    Every lane has an address of its own, and needs the memories that hold any of its columns.

    Parameters
    ----------
    width : int
        Bits of a lane.
    first : int
        Bits at the lower end of a lane that are never read.
    """
    places = {size: max(1, int(36 * 1024 * size) // power_of_two(words)) for size in (1.0, 0.5)}
    size = min(places, key=lambda size: -(-lanes * width // places[size]) * size)
    wide = places[size]
    spans = [
        ((lane + 1) * width - 1) // wide - (lane * width + first) // wide + 1
        for lane in range(lanes)
    ]
    return sum(spans) * size


SMALLEST_IN_DSP = 9  # bits of a product that Yosys puts into a DSP slice


@kept
def multiplier(one: int, other: int) -> Resources:
    """A product of two numbers of so many bits, in LUT or in a DSP slice."""
    narrow, bits = min(one, other), one + other
    if narrow > 1 and bits >= SMALLEST_IN_DSP:
        return Resources(dsp=1)
    if bits <= 6:  # each bit is a function of all bits
        return Resources(lut=bits if narrow > 1 else max(one, other))
    return Resources(lut=1.2 * one * other)


@kept
def counter(states: int) -> Resources:
    """A counter of ``states`` states: logic per bit, and a comparison with its last state.

    Whether it is in its last state is a register, and of a long one whether its low bits are ones.
    """
    bits = (states - 1).bit_length()
    ends = states > 2 and states & (states - 1) > 0
    return Resources(lut=bits * 0.75 + (bits / 5 if ends else 0), ff=bits + ends + (bits > 6))


@kept
def adder_tree_depth(numbers: int) -> int:
    """Adders in a row in `adder_tree.sv`, each of which adds three numbers: 9 numbers -> 2."""
    depth, span = 0, 1
    while span < numbers:
        depth, span = depth + 1, 3 * span
    return depth


@kept
def adder_tree(numbers: int, bits: int, signed: bool, cuts: int) -> Resources:
    """Resources of `adder_tree.sv`: one LUT per bit of each sum of two or three numbers."""
    lut = ff = 0
    for level in range(1, adder_tree_depth(numbers) + 1):
        span = 3**level
        narrow = _sum_bits(min(span // 3, numbers), bits, signed)
        wide = _sum_bits(min(span, numbers), bits, signed)
        count = -(-numbers // span)
        below = -(-numbers // (span // 3))
        alone = below % 3 == 1  # the last number is passed on without an adder
        lut += (count - alone) * (wide if signed else narrow)
        if level % 2 and level < 2 * cuts:
            ff += count * wide
    return Resources(lut=lut, ff=ff)


def _sum_bits(numbers: int, bits: int, signed: bool) -> int:
    if signed:
        return bits + (numbers - 1).bit_length()
    return (numbers * ((1 << bits) - 1)).bit_length()


def compare(bits: int, words: int) -> float:
    """LUT that compare a register with one of so many constants, and invert the result.

    Up to four bits this is a small tree of LUT. Wider comparisons use a carry chain: three bits of
    both sides need two LUT with six inputs; one or two remaining bits share one LUT. Three bits
    also share one LUT if two columns of a small memory of constants are equal or constant.
    """
    if bits <= 2:
        return 1
    if bits <= 4:
        return 1 + _own(bits + 1, words, 2)
    return (1 + _own(3, words, 1)) * (bits // 3) + (bits % 3 > 0) + 1


def _own(columns: int, words: int, forms: int) -> float:
    """Probability that random columns of ``words`` bits are neither constant nor equal.

    ``forms`` is 2 in plain logic, where a column equals its inverse, and 1 on a carry chain, where
    it does not.
    """
    excluded = (2 + forms * place for place in range(columns))
    return math.prod(max(0.0, 1 - count * 2.0**-words) for count in excluded)


def compare_constant(bits: int) -> float:
    """LUT that compare with a constant: one LUT up to six bits, otherwise a carry chain.

    One LUT of the chain compares three bits. On average half of the channels need an inversion
    after it.
    """
    if bits <= 6:
        return 0.5 if bits <= 2 else 1
    return -(-bits // 3) + 0.5
