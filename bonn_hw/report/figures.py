# SPDX-License-Identifier: BSD-3-Clause
"""Figures of a design, each from several sources: predicted, simulated, synthesised, ..."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Generic, TypeVar

SOURCES = ("predicted", "simulated", "synthesised", "implemented", "board")
T = TypeVar("T")


@dataclass(frozen=True)
class Figure:
    """A figure from several sources; a subclass has a field for each source that can have it.

    None means not known.
    """

    @property
    def known(self) -> dict[str, float]:
        """The known values by source, in the order of `SOURCES`."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: values[name] for name in SOURCES if values.get(name) is not None}


@dataclass(frozen=True)
class Cycles(Figure):
    """Clock cycles: by the cycle model, by the RTL in Verilator, by the counters on the board."""

    predicted: int
    simulated: int | None
    board: float | None = None


@dataclass(frozen=True)
class Rate(Figure):
    """Frames per second: by the cycle model, and measured by wall clock on the board."""

    predicted: float
    board: float | None = None


@dataclass(frozen=True, kw_only=True)
class Amount(Figure):
    """How much of a resource a design uses, and how much the device has.

    Attributes
    ----------
    predicted, synthesised, implemented
        By the kernels' formulas, by Yosys, by the tool that made the bitstream (with the shell).
    implemented_accelerator
        The part of ``implemented`` in the accelerator with its shell; None if not reported.
    """

    predicted: float
    available: float
    synthesised: float | None = None
    implemented: float | None = None
    implemented_accelerator: float | None = None


@dataclass(frozen=True)
class Share(Figure):
    """A fraction from 0 to 1; None if the whole is 0."""

    predicted: float | None
    synthesised: float | None


@dataclass(frozen=True)
class PerResource(Generic[T]):
    """One value for each resource: LUT, flip-flops, block memories of 36 kbit, DSP slices."""

    lut: T
    ff: T
    bram36: T
    dsp: T

    def __iter__(self) -> Iterator[T]:
        """The four values, in the order of the fields."""
        return iter((self.lut, self.ff, self.bram36, self.dsp))

    @property
    def named(self) -> dict[str, T]:
        """The four values by the names of the fields."""
        return dict(zip(RESOURCES, self, strict=True))


RESOURCES = tuple(one.name for one in fields(PerResource))
