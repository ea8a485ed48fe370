# SPDX-License-Identifier: BSD-3-Clause
"""What a kernel promises, as tables for a proof: read off its Python, never off its RTL.

Values and their order come from `Kernel.reference`, times and capacities from `Kernel.schedule`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product

import numpy as np

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.rtl import Instance
from bonn_hw.ir.stream import pack_bits
from bonn_hw.ir.tensor import Element

MOST_BITS = 10  # of the elements that one output beat depends on: all their values are tried
BASES = 256  # frames around which an element is changed, to see which beats depend on it


def values_of(element: Element) -> np.ndarray:
    """All values of an element; ValueError unless these are all codes of its bits."""
    values = np.array([-1, 1]) if element.bipolar else np.arange(element.low, element.high + 1)
    if len(values) != 1 << element.bits:
        raise ValueError(f"{element} has codes without a value: prove with a full range")
    return values


@dataclass(frozen=True)
class Beat:
    """What one output beat depends on.

    Attributes
    ----------
    bits : tuple of (input beat, bit of that beat)
        The bits that decide it, the least significant bit of the table's index first.
    table : tuple of int
        The output beat for every value of these bits.
    """

    bits: tuple[tuple[int, int], ...]
    table: tuple[int, ...]

    @property
    def last(self) -> int:
        """The last input beat that it depends on; -1: none."""
        return max((beat for beat, _ in self.bits), default=-1)


@dataclass(frozen=True, eq=False)
class Facts:
    """A kernel in a folding; of a fork, one of its outputs.

    Attributes
    ----------
    forced : mapping of str to int
        Parameters of the RTL that the kernel would choose by their cost, such as a memory's style.
    """

    kernel: Kernel
    folding: Folding
    output: int = 0
    forced: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def instance(self) -> Instance:
        """The RTL."""
        chosen = self.kernel.rtl(self.folding)
        return replace(chosen, parameters={**chosen.parameters, **self.forced})

    @cached_property
    def in_widths(self) -> list[int]:
        """Bits of a beat of each input."""
        lanes = self.kernel.input_lanes(self.folding)
        return [n * kind.element.bits for n, kind in zip(lanes, self.kernel.inputs, strict=True)]

    @property
    def out_width(self) -> int:
        """Bits of a beat of an output."""
        return self.kernel.lanes(self.folding)[1] * self.kernel.outputs[0].element.bits

    @cached_property
    def beats(self) -> tuple[int, int]:
        """Input and output beats a frame."""
        return self.kernel.schedule(self.folding).beats

    def _outputs(self, frames: list[np.ndarray]) -> np.ndarray:
        """Output beats as numbers ``(frames, beats)``."""
        given = self.kernel.reference(*frames)[self.output]
        kind, lanes = self.kernel.outputs[self.output], self.kernel.lanes(self.folding)[1]
        bits = pack_bits(given, lanes, kind.element).reshape(len(given), self.beats[1], -1)
        return (bits.astype(np.int64) << np.arange(bits.shape[2])).sum(axis=2)

    def _random(self, count: int) -> list[np.ndarray]:
        rng = np.random.default_rng(7)
        return [
            rng.choice(values_of(kind.element), (count, *kind.shape)) for kind in self.kernel.inputs
        ]

    @cached_property
    def output_beats(self) -> list[Beat]:
        """Every beat of an output frame, and what decides it."""
        kinds = self.kernel.inputs
        bases = self._random(BASES)
        before = self._outputs(bases)
        found: list[list[tuple[int, int]]] = [[] for _ in range(self.beats[1])]
        for stream, kind in enumerate(kinds):
            for place in range(kind.size):
                seen = np.zeros(self.beats[1], bool)
                for value in values_of(kind.element):
                    changed = [base.copy() for base in bases]
                    changed[stream].reshape(BASES, -1)[:, place] = value
                    seen |= (self._outputs(changed) != before).any(axis=0)
                for beat in np.flatnonzero(seen):
                    found[beat].append((stream, place))
        return [self._beat(number, elements) for number, elements in enumerate(found)]

    def _beat(self, number: int, elements: list[tuple[int, int]]) -> Beat:
        kinds, lanes = self.kernel.inputs, self.kernel.input_lanes(self.folding)
        bits = []
        for stream, place in elements:
            width, beat = kinds[stream].element.bits, place // lanes[stream]
            at = sum(self.in_widths[:stream]) + place % lanes[stream] * width
            bits += [(beat, at + bit) for bit in range(width)]
        if len(bits) > MOST_BITS:
            raise ValueError(
                f"output beat {number} depends on {len(bits)} bits: prove a smaller one"
            )
        codes = [values_of(kinds[stream].element) for stream, _ in elements]
        # Index bits count up from the first element; values in the order of their codes.
        ordered = [
            values[np.argsort(kinds[stream].element.encode(values))]
            for values, (stream, _) in zip(codes, elements, strict=True)
        ]
        rows = [row[::-1] for row in product(*ordered[::-1])]
        frames = [np.repeat(one[:1], len(rows), axis=0) for one in self._random(1)]
        for column, (stream, place) in enumerate(elements):
            frames[stream].reshape(len(rows), -1)[:, place] = [row[column] for row in rows]
        return Beat(tuple(bits), tuple(int(v) for v in self._outputs(frames)[:, number]))

    @cached_property
    def needs(self) -> list[int]:
        """Input beats of the frame that must have come before each output beat can."""
        schedule = self.kernel.schedule(self.folding).frame
        return [int(n) for n in np.maximum.accumulate(schedule.need)[schedule.emit]]

    @cached_property
    def patience(self) -> int:
        """Cycles within which an output beat comes, if its inputs have come and it is taken."""
        schedule = self.kernel.schedule(self.folding).frame
        at = np.flatnonzero(schedule.emit)
        steps = len(schedule.emit)
        gaps = np.diff(at, append=at[0] + steps)
        return int(max(gaps.max(), at[0] + 1)) + schedule.latency + 1

    @cached_property
    def room(self) -> list[int]:
        """Input beats, from the start of its frame, that can have come before each beat left.

        While a beat waits at the output no step is done, and the pipeline behind it holds as many
        steps as it has other registers.
        """
        schedule = self.kernel.schedule(self.folding).frame
        whole, steps = self.beats[0], len(schedule.emit)
        done = np.flatnonzero(schedule.emit) + max(0, schedule.latency - 1)
        if schedule.latency == 0:  # a FIFO: a step is a beat that leaves
            return [number + schedule.capacity for number in range(self.beats[1])]
        gone = schedule.release if schedule.capacity else np.maximum.accumulate(schedule.need)
        counts = gone[done % steps] + done // steps * whole + schedule.capacity
        return [int(count) for count in counts]

    @cached_property
    def accepts(self) -> list[int]:
        """The input beats of its frame below which a beat is accepted, for each next output beat.

        A buffer accepts while it holds less than its capacity: beats that came less those that
        steps released, of which at least those of the beats that left are done. Without a buffer
        nothing is promised here.
        """
        schedule = self.kernel.schedule(self.folding).frame
        if not schedule.capacity:
            return [-self.beats[0]] * self.beats[1]
        if schedule.latency == 0:
            return [number + schedule.capacity for number in range(self.beats[1])]
        released = schedule.release[np.flatnonzero(schedule.emit)]
        before = [int(released[-1]) - self.beats[0], *map(int, released[:-1])]
        return [count + schedule.capacity for count in before]

    @property
    def frames_inside(self) -> int:
        """Frames that can be inside at once, at most."""
        return max(self.room) // self.beats[0] + 1
