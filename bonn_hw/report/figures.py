# SPDX-License-Identifier: BSD-3-Clause
"""Figures of a design, each at the stages of the flow at which it can be known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Generic, TypeVar

STAGES = ("predicted", "simulated", "synthesised", "implemented", "board")
T = TypeVar("T")


@dataclass(frozen=True)
class Figure:
    """A figure at the stages of the flow; subclasses have the stages that it can be known at.

    None stands for what is not known.
    """

    @property
    def known(self) -> dict[str, float]:
        """What is known, by stage, in the order of `STAGES`."""
        here = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: here[name] for name in STAGES if here.get(name) is not None}


@dataclass(frozen=True)
class Cycles(Figure):
    """Clock cycles: of the cycle model, of the RTL in Verilator, of the counters on the board."""

    predicted: int
    simulated: int | None
    board: float | None = None


@dataclass(frozen=True)
class Rate(Figure):
    """Frames per second: at the clock by the cycle model, and by the wall clock on the board."""

    predicted: float
    board: float | None = None


@dataclass(frozen=True, kw_only=True)
class Amount(Figure):
    """How much of a resource a design takes, and how much the device has.

    Attributes
    ----------
    predicted, synthesised, implemented
        By the kernels' formulas, by Yosys, by the tool that made the bitstream (with the shell).
    implemented_accelerator
        The part of the latter that is the accelerator with its shell, where the tool reports it.
    """

    predicted: float
    available: float
    synthesised: float | None = None
    implemented: float | None = None
    implemented_accelerator: float | None = None


@dataclass(frozen=True)
class Share(Figure):
    """A part of a whole, from 0 to 1; None where there is no whole."""

    predicted: float | None
    synthesised: float | None


@dataclass(frozen=True)
class PerResource(Generic[T]):
    """Something for each resource: LUT, flip-flops, block memories of 36 kbit, DSP slices."""

    lut: T
    ff: T
    bram36: T
    dsp: T

    def __iter__(self) -> Iterator[T]:
        """The four, in the order of the fields."""
        return iter((self.lut, self.ff, self.bram36, self.dsp))

    @property
    def named(self) -> dict[str, T]:
        """The four, by the names of the fields."""
        return dict(zip(RESOURCES, self, strict=True))


RESOURCES = tuple(one.name for one in fields(PerResource))
