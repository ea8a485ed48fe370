# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw check``: say whether a model can be compiled."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from bonn_hw.cli.arguments import positive
from bonn_hw.errors import UserError

NAME = "check"
HELP = "say whether a QONNX model can be compiled"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    parser.add_argument("model", type=Path, help="the .onnx file")
    parser.add_argument("--board", help="say also what fits it")
    parser.add_argument("--fps", type=positive, help="and what so many frames per second need")
    parser.add_argument("--clock-mhz", type=positive, help="default: the board's")


def run(options: argparse.Namespace, notes: Console) -> int:
    """Say whether a model can be compiled."""
    from bonn_hw import pipeline
    from bonn_hw.boards import board
    from bonn_hw.ir.target import Target
    from bonn_hw.report import other_tables

    target = None
    if options.board is not None:
        chosen = board(options.board)
        clock = options.clock_mhz or chosen.clock_mhz
        target = Target(chosen, clock, options.fps)
    elif options.fps or options.clock_mhz:
        raise UserError("check: --fps and --clock-mhz need a --board")
    with notes.status("") as status:
        graph, findings = pipeline.check_model(
            options.model, target, lambda text: status.update(f"check: {text}")
        )
    other_tables.show_kernels(graph, findings, Console(highlight=False))
    return 0
