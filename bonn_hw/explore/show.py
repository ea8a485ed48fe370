# SPDX-License-Identifier: BSD-3-Clause
"""The table of a front on the terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console, Group

from bonn_hw.explore.points import Result
from bonn_hw.explore.result import PAGE
from bonn_hw.report.grid import UNKNOWN, Column, grid, words
from bonn_hw.report.tables import count, rate


def show_front(result: Result, folder: Path, console: Console) -> None:
    """Print the points of the front, the cheapest first, and what the search did."""
    points = result.points
    hardware = [one.hardware for one in points]
    names = Column("point", [str(place) for place in range(1, len(points) + 1)])
    network = Column("network", [str(one.candidate) for one in points], left=True, folds=True)
    accuracy = Column("held-out\naccuracy", [f"{one.accuracy:.2%}" for one in points])
    spread = Column(
        "±", [UNKNOWN if one.spread is None else f"{100 * one.spread:.2f}" for one in points]
    )
    used = (
        Column("LUT", [count(one.lut) for one in hardware]),
        Column("BRAM36", [f"{one.bram36:g}" for one in hardware]),
        Column("DSP", [count(one.dsp) for one in hardware]),
        Column("frames/s", [rate(one.frames_per_second) for one in hardware]),
    )
    counts = result.counts
    said = (
        f"{counts.trained} candidates trained, {counts.excluded} did not fit, "
        f"{counts.repeated} chosen again, {counts.failed} failed; hypervolume "
        f"{result.hypervolume:.4f}; {folder / PAGE}"
    )
    table = grid("front", names, [(network,), (accuracy, spread), used], console)
    console.print(Group(table, words(said)))
