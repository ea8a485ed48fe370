# SPDX-License-Identifier: BSD-3-Clause
"""What the resource grids of the kernels' tests are made of, and what counts as close."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.tensor import Element
from bonn_hw.synth.netlist import Use

Point = tuple[Kernel, Folding]
# Of images that kernels work on, with odd extents among them.
FRAME_SHAPES = ((4, 4), (5, 7), (8, 8), (32, 32), (28, 28), (56, 112))


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
    """

    points: Callable[[], Iterator[Point]]
    step: int
    depth: Callable[[Kernel, Folding], int] = lambda kernel, folding: 6

    def sample(self) -> list[Point]:
        """A few points, wide apart."""
        return list(self.points())[3 :: 4 * self.step]


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
