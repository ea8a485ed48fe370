# SPDX-License-Identifier: BSD-3-Clause
"""The board, the clock and the rate of a call, and its foldings."""

from __future__ import annotations

from pathlib import Path

from bonn_hw import pipeline
from bonn_hw.boards import board as find_board
from bonn_hw.errors import UserError
from bonn_hw.ir.target import PREFERENCES, Target


def folding_of(folding: str | Path | None) -> pipeline.Folding:
    """What ``folding=`` names: a file, the model's own, or nothing."""
    return "model" if folding == "model" else None if folding is None else Path(folding)


def check_rate(name: str, target: Target, folding: str | Path | None) -> None:
    """Refuse a target without a rate, unless foldings are given."""
    if target.fps is None and not target.fastest and folding is None:
        raise UserError(f"{name}: give fps=, max_fps=True, or foldings of the layers with folding=")


def target_of(
    board: str | Path,
    clock_mhz: float | None,
    fps: float | None = None,
    max_fps: bool = False,
    latency_ms: float | None = None,
    lut_fraction: float = 0.7,
    prefer: str = "lut",
    dsp: bool = True,
) -> Target:
    """The target of a design; raises UserError for a number or a pair of options that is wrong."""
    for name, value in (("fps", fps), ("clock_mhz", clock_mhz), ("latency_ms", latency_ms)):
        if value is not None and not 0 < value < float("inf"):
            raise UserError(f"{name}={value}: give a positive number")
    if fps is not None and max_fps:
        raise UserError("fps= and max_fps=True exclude each other: leave one out")
    if max_fps and latency_ms is not None:
        raise UserError("latency_ms= goes with fps=, not with max_fps=True")
    if prefer not in PREFERENCES:
        raise UserError(f"prefer={prefer!r}: give one of {', '.join(PREFERENCES)}")
    chosen = find_board(str(board))
    return Target(
        chosen, clock_mhz or chosen.clock_mhz, fps, max_fps, latency_ms, lut_fraction, prefer, dsp
    )
