# SPDX-License-Identifier: BSD-3-Clause
"""What ``fold`` and ``compile`` share: a target in, a report out."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.console import Console

from bonn_hw.errors import UserError

if TYPE_CHECKING:
    from bonn_hw.report.values import Front, Report


def make_design(
    options: argparse.Namespace,
    notes: Console,
    make: Callable[..., Report | Front],
    any_rate: bool = False,
) -> int:
    """Fold or compile by ``make`` and print the report; returns the exit code."""
    from bonn_hw.boards import board
    from bonn_hw.ir.target import Target
    from bonn_hw.report import tables

    name = options.name
    if not (options.fps or options.max_fps or options.folding or any_rate):
        raise UserError(
            f"{name}: give --fps or --max-fps, or foldings for the layers with --folding FILE.json"
        )
    if options.max_fps and options.latency_ms:
        raise UserError(f"{name}: --latency-ms goes with --fps, not with --max-fps")
    chosen = board(options.board)
    target = Target(
        chosen,
        options.clock_mhz or chosen.clock_mhz,
        options.fps,
        options.max_fps,
        options.latency_ms,
        options.lut_fraction,
    )
    with notes.status("") as status:
        report = make(
            options.model,
            target,
            options.out,
            options.folding,
            options.checkpoint,
            lambda text: status.update(f"{name}: {text}"),
        )
    tables.show(report, Console(highlight=False))
    return 0
