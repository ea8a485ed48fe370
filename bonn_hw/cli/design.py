# SPDX-License-Identifier: BSD-3-Clause
"""The common part of ``fold`` and ``compile``: read the target, print the report."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from bonn_hw.cli.outputs import check_writable
from bonn_hw.cli.target import stated_grid
from bonn_hw.cli.terminal import Terminal
from bonn_hw.cli.verdicts import conclude, thresholds
from bonn_hw.errors import UserError

if TYPE_CHECKING:
    from bonn_hw.report.values import Front, Report


def make_design(
    options: argparse.Namespace,
    terminal: Terminal,
    make: Callable[..., Report | Front],
    any_rate: bool = False,
) -> int:
    """Fold or compile with the function ``make`` and print the report; returns the exit code."""
    from bonn_hw.boards import board
    from bonn_hw.ir.target import Target
    from bonn_hw.report import store, tables, verdicts
    from bonn_hw.report.values import Front

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
        options.prefer,
        options.dsp,
    )
    check_writable(options.out, "build")
    check_writable(options.json)
    check_writable(options.junit)
    with terminal.progress(name) as progress:
        report = make(
            options.model,
            target,
            options.out,
            options.folding,
            options.checkpoint,
            progress,
            stated_grid(options),
            options.external_data,
        )
    terminal.report_text(store.to_json(report), lambda console: tables.show(report, console))
    found = () if isinstance(report, Front) else verdicts.of_thresholds(report, thresholds(options))
    return conclude(options, options.out, found, terminal)
