# SPDX-License-Identifier: BSD-3-Clause
"""What each kernel's own test file states for the tests of all kernels.

``tests/kernels/test_foo.py`` has three module-level values:

EXAMPLES : list of Kernel
    Small ones, of every structure that the RTL has: all their foldings are elaborated.
ILLEGAL : list of dict
    Parameters of the RTL one step outside of what Python would ever write.
GRID : tests.support.grids.Grid
    Shapes and foldings whose resources are compared with synthesis.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.kernel import Kernel
from bonn_hw.kernels import kernels
from tests.support.grids import Grid, Point, describe

FOLDER = Path(__file__).parent.parent / "kernels"
MEANINGS = {
    "EXAMPLES": "a list of small kernels, of every structure that the RTL has",
    "ILLEGAL": "a list of RTL parameters ({name: value}) that must end elaboration",
    "GRID": "a tests.support.grids.Grid of shapes and foldings that are synthesised",
}


@cache
def stated(stem: str) -> ModuleType:
    """The test file of a kernel; AssertionError says what it lacks."""
    path = FOLDER / f"test_{stem}.py"
    assert path.is_file(), f"kernel {stem}: add tests/kernels/test_{stem}.py"
    module = import_module(f"tests.kernels.test_{stem}")
    for name, meaning in MEANINGS.items():
        assert getattr(module, name, None), (
            f"kernel {stem}: tests/kernels/test_{stem}.py must have {name}, {meaning}"
        )
    return module


def examples() -> list[Kernel]:
    """Examples of all kernels."""
    return [kernel for stem in kernels() for kernel in stated(stem).EXAMPLES]


def folded_examples() -> Iterator[Point]:
    """Every example in every legal folding."""
    for kernel in examples():
        for folding in kernel.foldings():
            yield kernel, folding


def illegal() -> dict[str, list[dict[str, Any]]]:
    """Illegal parameters by stem."""
    return {stem: stated(stem).ILLEGAL for stem in kernels()}


def grids() -> dict[str, Grid]:
    """Resource grids by stem."""
    return {stem: stated(stem).GRID for stem in kernels()}


@cache
def cases() -> dict[str, tuple[Kernel, Folding]]:
    """The points that the tests synthesise, by their description."""
    return {describe(*point): point for grid in grids().values() for point in grid.small_sample()}


def large_cases() -> dict[str, tuple[Kernel, Folding]]:
    """The points in whose place `cases` has smaller ones."""
    sample = {describe(*point): point for grid in grids().values() for point in grid.sample()}
    return {name: point for name, point in sample.items() if name not in cases()}
