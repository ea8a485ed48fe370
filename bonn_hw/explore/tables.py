# SPDX-License-Identifier: BSD-3-Clause
"""What `explore --dry-run` prints of its candidates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group

from bonn_hw.explore.hardware import Excluded
from bonn_hw.explore.listing import Listed, excluded_by
from bonn_hw.explore.space import Candidate, Space
from bonn_hw.report.grid import Column, grid, words
from bonn_hw.report.tables import count, rate

SHOWN = 20


def show_listing(listed: Sequence[Listed], space: Space, console: Console) -> None:
    """Print how many candidates fit, what excludes the others, and the cheapest."""
    fitting = [
        (one.result.figures, one.candidate)
        for one in listed
        if not isinstance(one.result, Excluded)
    ]
    fitting.sort(key=lambda pair: pair[0].cost)
    shown = fitting[:SHOWN]
    goal = space.goal
    boards = ", ".join(board.name for board in goal.boards)
    title = (
        f"{len(fitting):,} of {len(listed):,} candidates fit {boards} at {goal.fps:,.10g} frames/s "
        "(FIFOs not counted)"
        + (f"; the {len(shown)} cheapest" if len(shown) < len(fitting) else "")
    )
    names = Column("network", [_options(one, space) for _, one in shown], left=True, folds=True)
    columns = (
        Column("LUT", [count(f.resources.lut) for f, _ in shown]),
        Column("BRAM36", [f"{f.resources.bram36:g}" for f, _ in shown]),
        Column("DSP", [count(f.resources.dsp) for f, _ in shown]),
        Column("frames/s", [rate(f.frames_per_second) for f, _ in shown]),
    )
    reasons = [
        words(f"{limit} excludes {many:,}; the closest: {reason}")
        for limit, (many, reason) in excluded_by(listed).items()
    ]
    console.print(Group(grid(title, names, [columns], console), *reasons))


def _options(candidate: Candidate, space: Space) -> str:
    """Those options of a candidate that are a choice of the space."""
    return ", ".join(f"{key} {_short(value)}" for key, value in space.told(candidate).items())


def _short(value: Any) -> str:
    return " ".join(map(str, value)) or "-" if isinstance(value, list) else str(value)
