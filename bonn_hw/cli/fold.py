# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw fold``: find foldings and FIFO depths."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from bonn_hw.cli.design import make_design
from bonn_hw.cli.target import add_target
from bonn_hw.errors import UserError

NAME = "fold"
HELP = "find the best foldings and FIFO depths for a board"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    parser.add_argument("model", type=Path, help="the .onnx file")
    add_target(parser)
    parser.add_argument(
        "--pareto", action="store_true", help="all trade-offs instead of one design"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for design.json and pictures"
    )


def run(options: argparse.Namespace, notes: Console) -> int:
    """Find foldings and FIFO depths."""
    from bonn_hw import pipeline

    if options.pareto and (options.fps or options.max_fps or options.latency_ms):
        raise UserError("fold: --pareto shows all rates: leave --fps, --max-fps, --latency-ms out")
    make = pipeline.fold_front if options.pareto else pipeline.fold_model
    return make_design(options, notes, make, any_rate=options.pareto)
