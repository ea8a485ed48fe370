# SPDX-License-Identifier: BSD-3-Clause
"""What the resource grids of the kernels' tests are made of, and what counts as close."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.tensor import Element
from bonn_hw.synth.netlist import Use

Point = tuple[Kernel, Folding]
# Of images that kernels work on, with odd extents among them.
FRAME_SHAPES = ((4, 4), (5, 7), (8, 8), (32, 32), (28, 28), (56, 112))
# LUT and flip-flops of a small point: Yosys takes seconds for each thousand of them.
SMALL = 150


@dataclass(frozen=True)
class Grid:
    """Shapes and foldings of a kernel that are synthesised, one by one.

    Attributes
    ----------
    points : function
        All of them: what docs/synthesis.md is about.
    step : int
        A quarter of the distance between the points that the tests take.
    depth : function
        The most LUT between two registers of a point.
    small : int
        LUT and flip-flops, as predicted, of the largest points that every run of the tests
        synthesises.
    """

    points: Callable[[], Iterator[Point]]
    step: int
    depth: Callable[[Kernel, Folding], int] = lambda kernel, folding: 6
    small: int = SMALL

    def sample(self) -> list[Point]:
        """A few points, wide apart."""
        return list(self.points())[3 :: 4 * self.step]

    def small_sample(self) -> list[Point]:
        """The same, but for large points: the largest of the small ones before each of them.

        Where none of those since the last point of the sample is small, the smallest.
        """
        points, width = list(self.points()), 4 * self.step
        ends = range(3, len(points), width)
        stretches = [points[max(0, end + 1 - width) : end + 1] for end in ends]
        return [self._small(stretch) for stretch in stretches]

    def _small(self, stretch: Sequence[Point]) -> Point:
        if _size(stretch[-1]) <= self.small:
            return stretch[-1]
        small = [point for point in stretch if _size(point) <= self.small]
        return max(small, key=_size) if small else min(stretch, key=_size)


def _size(point: Point) -> float:
    use = point[0].resources(point[1])
    return use.lut + use.ff


def unsigned(bits: int) -> Element:
    """From 0, of so many bits."""
    return Element(0, (1 << bits) - 1)


def signed(bits: int) -> Element:
    """Two's complement of so many bits."""
    return Element(-(1 << bits - 1), (1 << bits - 1) - 1)


def even(lanes: int) -> Folding:
    """As many lanes in as out."""
    return Folding(lanes, lanes)


def close(predicted: Resources, use: Use, part: float = 0.05, few: int = 20) -> bool:
    """LUT and flip-flops to 5 % or 20 of them; block memories and DSP slices exactly."""
    logic = ((predicted.lut, use.lut), (predicted.ff, use.ff))
    near = all(abs(said - done) <= max(few, part * done) for said, done in logic)
    return near and (predicted.bram36, predicted.dsp) == (use.bram36, use.dsp)


def describe(kernel: Kernel, folding: Folding) -> str:
    """The parameters of the RTL, but for memories."""
    instance = kernel.rtl(folding)
    return " ".join([instance.stem, *(f"{k}={v}" for k, v in instance.parameters.items())])


def report(predicted: Resources, use: Use) -> str:
    """What was said and what was found, side by side."""
    found = Resources(use.lut, use.ff, use.bram36, use.dsp)
    return f"predicted {predicted}, synthesised {found}"
