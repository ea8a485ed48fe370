# SPDX-License-Identifier: BSD-3-Clause
"""The interface of all kernels. A kernel is a type of hardware unit: three files with one stem.

``kernels/foo.py``, ``hw_templates/foo.sv`` and ``tests/kernels/test_foo.py``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.integers import divisors
from bonn_hw.ir.operation import Operation
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.rtl import Bits, Instance
from bonn_hw.ir.schedule import Schedule
from bonn_hw.ir.tensor import Integers, TensorType


class Kernel(ABC):
    """One type of hardware unit, without its folding: a frozen dataclass."""

    stem: ClassVar[str]

    @property
    @abstractmethod
    def inputs(self) -> tuple[TensorType, ...]:
        """Types of the input tensors."""

    @property
    @abstractmethod
    def outputs(self) -> tuple[TensorType, ...]:
        """Types of the output tensors."""

    @abstractmethod
    def reference(self, *frames: Integers) -> tuple[Integers, ...]:
        """Compute the outputs for frames ``(N, H, W, C)`` of integers, exactly, with NumPy."""

    def operation(self) -> Operation | None:
        """What `reference` computes, if it has a form that software has a fast way for."""
        return None

    @abstractmethod
    def foldings(self) -> Iterator[Folding]:
        """Enumerate the legal foldings, the least parallel first."""

    def lanes(self, folding: Folding) -> tuple[int, int]:
        """Lanes of the input and of the output stream; of several inputs see `input_lanes`."""
        return folding.simd, folding.pe

    def input_lanes(self, folding: Folding) -> tuple[int, ...]:
        """Lanes of each input stream: of all the same, but for kernels that state their own."""
        return (self.lanes(folding)[0],) * len(self.inputs)

    @abstractmethod
    def cycles(self, folding: Folding) -> int:
        """Return the initiation interval of the unit alone, without stalls, in cycles per frame."""

    @abstractmethod
    def schedule(self, folding: Folding) -> Schedule:
        """Return in which cycles the RTL accepts and sends beats, for the cycle model."""

    @abstractmethod
    def resources(self, folding: Folding) -> Resources:
        """Predict the resources on a 7-series or UltraScale+ device."""

    def alternatives(self, dsp48: bool) -> Iterator[Kernel]:
        """Kernels of the same values and the same cycles that take other resources.

        Parameters
        ----------
        dsp48 : bool
            Whether accumulators may be in DSP48 slices, which not every tool chain knows.
        """
        yield self

    def placements(self) -> Iterator[Kernel]:
        """The kernel with its queue or tables in LUT, and with more and more in block memory.

        Values and cycles are the same. Unlike `alternatives`, these are small beside the rest of a
        kernel: they are chosen once the foldings are (`passes.memory_placement`).
        """
        yield self

    @abstractmethod
    def rtl(self, folding: Folding) -> Instance:
        """Return the module's name, its parameters and its memory images."""

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


class Elementwise(Kernel):
    """A kernel with equal input and output lanes, any number that divides the channels."""

    def foldings(self) -> Iterator[Folding]:
        """Every divisor of the channels, as lanes of both input and output."""
        for lanes in divisors(self.inputs[0].shape[2]):
            yield Folding(lanes, lanes)


@dataclass(frozen=True, eq=False)
class Paired(Elementwise):
    """A kernel of two tensors of integers of one shape: a beat of each in, one beat out a cycle."""

    left: TensorType
    right: TensorType

    def __post_init__(self) -> None:
        bipolar = self.left.element.bipolar or self.right.element.bipolar
        if bipolar or self.left.shape != self.right.shape:
            raise ValueError(
                f"{type(self).__name__} needs integers of one shape, not {self.left} and "
                f"{self.right}"
            )

    @property
    def inputs(self) -> tuple[TensorType, ...]:
        """Both operands."""
        return (self.left, self.right)

    def cycles(self, folding: Folding) -> int:
        """One beat of each input a cycle."""
        return self.left.size // folding.pe

    def schedule(self, folding: Folding) -> Schedule:
        """One step per beat; it accepts one beat of each input."""
        return Schedule.elementwise(self.cycles(folding), latency=1)

    def widths(self, folding: Folding) -> dict[str, int | Bits]:
        """Parameters of the RTL: lanes, and the operands' and results' codes."""
        left, right = self.left.element, self.right.element
        return {
            "LANES": folding.pe,
            "LEFT_BITS": left.bits,
            "RIGHT_BITS": right.bits,
            "LEFT_SIGNED": int(left.signed),
            "RIGHT_SIGNED": int(right.signed),
            "OUT_BITS": self.outputs[0].element.bits,
        }


@dataclass(frozen=True, eq=False)
class Passthrough(Kernel):
    """A kernel whose output is its input; only timing and lanes may differ."""

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
        """Return the frames unchanged."""
        return frames


def check_window(kind: TensorType, kernel: tuple[int, int]) -> None:
    """Raise ValueError unless a window (KH, KW) fits a frame."""
    height, width, _ = kind.shape
    if not (1 <= kernel[0] <= height and 1 <= kernel[1] <= width):
        raise ValueError(f"a {kernel} window does not fit a frame of {height}x{width}")
