# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw fold``: find foldings and FIFO depths."""

from __future__ import annotations

import argparse
from pathlib import Path

from bonn_hw.cli.arguments import add_json
from bonn_hw.cli.design import make_design
from bonn_hw.cli.target import add_target
from bonn_hw.cli.terminal import Terminal
from bonn_hw.cli.verdicts import add_verdicts
from bonn_hw.errors import UserError

NAME = "fold"
HELP = "choose foldings and FIFO depths for a board, without RTL"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="QONNX file (.onnx)")
    add_target(parser)
    parser.add_argument(
        "--pareto",
        action="store_true",
        help="list the trade-offs of frame rate and resources instead of one design",
    )
    parser.add_argument(
        "--out",
        metavar="FOLDER",
        type=Path,
        required=True,
        help="folder to write: design.json, report, pictures",
    )
    add_json(parser)
    add_verdicts(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Find foldings and FIFO depths."""
    from bonn_hw import extras, pipeline

    if options.pareto and (options.fps or options.max_fps or options.latency_ms):
        raise UserError("fold: --pareto shows all rates: leave --fps, --max-fps, --latency-ms out")
    if options.pareto and (options.max_lut or options.min_fps or options.junit):
        raise UserError("fold: --max-lut, --min-fps and --junit are about one design: no --pareto")
    make = pipeline.fold_front if options.pareto else pipeline.fold_model
    code = make_design(options, terminal, make, any_rate=options.pareto)
    if not extras.installed("matplotlib"):
        terminal.note(f"no pictures: {extras.missing('fold', 'matplotlib')}")
    return code
