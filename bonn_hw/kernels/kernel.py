# SPDX-License-Identifier: BSD-3-Clause
"""What every layer type answers (design.md, section 3: one layer type, three files, one stem)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property
from math import isqrt
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bonn_hw.ir.design import Folding
from bonn_hw.ir.rtl import Instance
from bonn_hw.ir.tensor import Integers, TensorType


@dataclass(frozen=True, eq=False)
class Schedule:
    """How the RTL of a stage moves beats, data apart: what the cycle model runs.

    A frame is a sequence of steps, at most one a cycle. Step ``i`` waits until ``need[i]`` input
    beats of the frame have arrived; with it ``release[i]`` of them have been given back in total;
    it sends an output beat where ``emit[i]``. An output beat is valid ``latency`` cycles after its
    step, and the whole stage holds while a valid output beat is not taken.

    With ``capacity`` 0 there is no buffer: the step that raises ``need`` takes the beat from the
    wire in the same cycle. Otherwise beats are taken as long as fewer than ``capacity`` are held,
    and a beat can be used in the cycle after it was taken. ``latency`` 0 (a FIFO) shows the oldest
    held beat itself, and steps when it is taken.
    """

    need: NDArray[np.int64]
    release: NDArray[np.int64]
    emit: NDArray[np.bool_]
    latency: int
    capacity: int = 0

    @property
    def beats(self) -> tuple[int, int]:
        """Input and output beats a frame."""
        return int(self.release[-1]), int(self.emit.sum())

    @cached_property
    def events(self) -> NDArray[np.int32]:
        """The steps that move or await a beat, as differences to the one before, frame after frame.

        ``(events, 4)``: steps, need, release, whether it emits; the first one's are those to the
        frame before. All steps before a step have been done, so what it needs is the most that any
        of them needed. Where a frame repeats itself, only what is repeated stands here.
        """
        need, at = np.maximum.accumulate(self.need), self._moving
        total = self.release[-1]
        columns = [(at, self.need.size), (need[at], total), (self.release[at], total)]
        moves = [np.diff(values, prepend=values[-1] - whole) for values, whole in columns]
        return _period(np.stack([*moves, self.emit[at]], axis=1).astype(np.int32))

    @property
    def _moving(self) -> NDArray[np.intp]:
        """Places of the events; a frame's first step if it awaits beats that were given back."""
        need = np.maximum.accumulate(self.need)
        awaits = np.diff(need, prepend=need[-1] - self.release[-1]) > 0
        return np.flatnonzero(self.emit | awaits | (np.diff(self.release, prepend=0) > 0))

    def held(self, latency: int, capacity: int) -> Schedule:
        """The same steps behind another pipeline or buffer; what is known of them is kept."""
        other = replace(self, latency=latency, capacity=capacity)
        other.__dict__["events"] = self.events
        return other

    @property
    def first(self) -> tuple[int, int]:
        """Steps up to and with the very first event, and what it needs."""
        at = int(self._moving[0])
        return at + 1, int(self.need[at])


def _period(rows: NDArray[np.int32]) -> NDArray[np.int32]:
    """The shortest part that the rows repeat."""
    for size in divisors(len(rows)):
        if (rows[size:] == rows[:-size]).all():
            return np.ascontiguousarray(rows[:size])
    return rows


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


class Kernel(ABC):
    """A layer type's unfolded operator: a frozen dataclass that knows nothing of parallelism."""

    stem: ClassVar[str]

    @property
    @abstractmethod
    def inputs(self) -> tuple[TensorType, ...]:
        """Types of the tensors that it takes."""

    @property
    @abstractmethod
    def outputs(self) -> tuple[TensorType, ...]:
        """Types of the tensors that it gives."""

    @abstractmethod
    def reference(self, *frames: Integers) -> tuple[Integers, ...]:
        """Compute frames ``(N, H, W, C)`` of integers; exact, in NumPy."""

    @abstractmethod
    def foldings(self) -> Iterator[Folding]:
        """Enumerate the legal foldings, small ones first."""

    def lanes(self, folding: Folding) -> tuple[int, int]:
        """Lanes of the input and of the output stream."""
        return folding.simd, folding.pe

    @abstractmethod
    def cycles(self, folding: Folding) -> int:
        """Return the initiation interval alone and unstalled, cycles a frame: a promise."""

    @abstractmethod
    def schedule(self, folding: Folding) -> Schedule:
        """Say in which cycle the RTL takes and gives beats, for the cycle model."""

    @abstractmethod
    def resources(self, folding: Folding) -> Resources:
        """Predict the use of a 7-series or UltraScale+ device."""

    @abstractmethod
    def rtl(self, folding: Folding) -> Instance:
        """Name the module, its parameters and its memory images."""

    def __eq__(self, other: object) -> bool:
        """Equal type and equal fields; arrays by value (the generated one would be ambiguous)."""
        if type(self) is not type(other):
            return NotImplemented
        return all(_same(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))  # type: ignore[arg-type]

    __hash__ = None  # type: ignore[assignment]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return bool(np.array_equal(one, other))
    return bool(one == other)


class Lanewise(Kernel):
    """A kernel that treats every lane alike: one choice, the lanes, which divide the channels."""

    def foldings(self) -> Iterator[Folding]:
        """Every divisor of the channels as lanes on both sides."""
        for lanes in divisors(self.inputs[0].shape[2]):
            yield Folding(lanes, lanes)


@dataclass(frozen=True, eq=False)
class Relay(Kernel):
    """A kernel that gives the tensor it takes; only time and lanes differ."""

    input: TensorType

    @property
    def inputs(self) -> tuple[TensorType, ...]:
        """The tensor."""
        return (self.input,)

    @property
    def outputs(self) -> tuple[TensorType, ...]:
        """The same tensor."""
        return (self.input,)

    def reference(self, *frames: Integers) -> tuple[Integers, ...]:
        """Move nothing."""
        return frames


def check_window(kind: TensorType, kernel: tuple[int, int]) -> None:
    """Raise ValueError unless a window (KH, KW) fits a frame."""
    height, width, _ = kind.shape
    if not (1 <= kernel[0] <= height and 1 <= kernel[1] <= width):
        raise ValueError(f"a {kernel} window does not fit a frame of {height}x{width}")


def divisors(number: int) -> list[int]:
    """Divisors in ascending order."""
    low = [d for d in range(1, isqrt(number) + 1) if number % d == 0]
    return low + [number // d for d in reversed(low) if d * d != number]


def power_of_two(number: int) -> int:
    """The smallest power of two that is not below ``number``."""
    return 1 << max(0, number - 1).bit_length()


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
    """A counter that returns to 0 after ``states``: a LUT a bit, and where it ends."""
    bits = (states - 1).bit_length()
    ends = states > 1 and states & (states - 1)
    return Resources(lut=bits * 0.75 + (bits / 5 if ends else 0), ff=bits)


def tree_levels(numbers: int) -> int:
    """Levels of an `adder_tree.sv`, three numbers to one."""
    levels, span = 0, 1
    while span < numbers:
        levels, span = levels + 1, 3 * span
    return levels


def adder_tree(numbers: int, bits: int, signed: bool, cuts: int) -> Resources:
    """An `adder_tree.sv`: a LUT for each bit that is added, of two or three numbers."""
    lut = ff = 0
    for level in range(1, tree_levels(numbers) + 1):
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
