# SPDX-License-Identifier: BSD-3-Clause
"""Concat: the channels of several streams, one after the other, where branches join."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.rtl import Bits, Instance
from bonn_hw.ir.schedule import Schedule
from bonn_hw.ir.tensor import BIPOLAR, Element, Integers, TensorType

FIELD = 32  # bits of each input's number in a parameter


@dataclass(frozen=True, eq=False)
class Concat(Kernel):
    """The pixels of all operands side by side: channels of the first one, of the second one, ...

    The output range holds the ranges of all operands. A beat is a whole pixel, because operands
    with different channels would otherwise need different numbers of beats.
    """

    stem: ClassVar[str] = "concat"

    operands: tuple[TensorType, ...]

    def __post_init__(self) -> None:
        named = ", ".join(map(str, self.operands))
        if len(self.operands) < 2:
            raise ValueError(f"Concat needs two operands or more, not {named or 'none'}")
        if len({kind.shape[:2] for kind in self.operands}) > 1:
            raise ValueError(f"Concat needs frames of one height and width, not {named}")
        if len({kind.element.bipolar for kind in self.operands}) > 1:
            raise ValueError(f"Concat needs bits only or integers only, not {named}")

    @property
    def inputs(self) -> tuple[TensorType, ...]:
        """The operands."""
        return self.operands

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of each operand."""
        return tuple(kind.shape[2] for kind in self.operands)

    @property
    def outputs(self) -> tuple[TensorType, ...]:
        """All channels, in the smallest range that holds every operand."""
        elements = [kind.element for kind in self.operands]
        element = BIPOLAR
        if not elements[0].bipolar:
            element = Element(min(e.low for e in elements), max(e.high for e in elements))
        return (TensorType((*self.operands[0].shape[:2], sum(self.channels)), element),)

    def reference(self, *frames: Integers) -> tuple[Integers, ...]:
        """Concatenate ``(N, H, W, C)`` along C."""
        return (np.concatenate([one.astype(np.int64) for one in frames], axis=3),)

    def foldings(self) -> Iterator[Folding]:
        """A whole pixel a beat."""
        yield Folding(sum(self.channels), sum(self.channels))

    def input_lanes(self, folding: Folding) -> tuple[int, ...]:
        """Channels of each operand."""
        return self.channels

    def cycles(self, folding: Folding) -> int:
        """One pixel a cycle."""
        height, width, _ = self.operands[0].shape
        return height * width

    def schedule(self, folding: Folding) -> Schedule:
        """One step per pixel; it accepts one beat of each input."""
        return Schedule.elementwise(self.cycles(folding), latency=1)

    def resources(self, folding: Folding) -> Resources:
        """The output register: bits by which an operand is extended are its sign, or constant."""
        stored = sum(kind.shape[2] * kind.element.bits for kind in self.operands)
        return Resources(lut=1 + len(self.operands) / 4, ff=stored + 1)

    def rtl(self, folding: Folding) -> Instance:
        """``concat.sv``."""
        bits = [kind.element.bits for kind in self.operands]
        signs = [int(kind.element.signed) for kind in self.operands]
        inputs = len(self.operands)
        return Instance(
            "concat",
            {
                "INPUTS": inputs,
                "LANES": Bits(FIELD * inputs, _packed(self.channels, FIELD)),
                "BITS": Bits(FIELD * inputs, _packed(bits, FIELD)),
                "SIGNED": Bits(inputs, _packed(signs, 1)),
                "IN_WIDTH": sum(c * b for c, b in zip(self.channels, bits, strict=True)),
                "OUT_LANES": sum(self.channels),
                "OUT_BITS": self.outputs[0].element.bits,
            },
        )


def _packed(values: tuple[int, ...] | list[int], width: int) -> int:
    """Numbers of ``width`` bits, the first one lowest."""
    return sum(value << width * place for place, value in enumerate(values))
