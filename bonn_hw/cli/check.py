# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw check``: check whether a model can be compiled."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bonn_hw.cli.arguments import add_external_data, add_json, positive
from bonn_hw.cli.outputs import check_writable
from bonn_hw.cli.target import add_clock
from bonn_hw.cli.terminal import Terminal
from bonn_hw.cli.verdicts import add_verdicts, conclude, thresholds
from bonn_hw.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

NAME = "check"
HELP = "check whether a QONNX model can be compiled and fits a board"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="QONNX file (.onnx)")
    parser.add_argument("--board", metavar="NAME", help="also check whether it fits this board")
    parser.add_argument(
        "--fps", metavar="N", type=positive, help="frame rate in frames per second, with --board"
    )
    add_clock(parser)
    add_external_data(parser)
    add_json(parser)
    add_verdicts(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Check whether a model can be compiled."""
    from bonn_hw import pipeline
    from bonn_hw.boards import board
    from bonn_hw.ir.target import Target
    from bonn_hw.report import assemble, other_tables, verdicts
    from bonn_hw.report.codec import encode

    target = None
    if options.board is not None:
        chosen = board(options.board)
        clock = options.clock_mhz or chosen.clock_mhz
        target = Target(chosen, clock, options.fps)
    elif options.fps or options.clock_mhz:
        raise UserError("check: --fps and --clock-mhz need a --board")
    if options.min_fps and options.board is None:
        raise UserError("check: --min-fps needs a --board")
    if options.max_lut and (options.board is None or options.fps is None):
        raise UserError("check: --max-lut needs a --board, and the frame rate with --fps")
    check_writable(options.json)
    check_writable(options.junit)
    with terminal.progress("check") as progress:
        checked = pipeline.check_model(
            options.model, target, progress, external_data=options.external_data
        )
    lowered, findings = checked.lowered, checked.findings
    graph = lowered.graph
    document = {
        "kernels": [
            {
                "name": node.name,
                "layer": node.origin,
                "takes": [str(tensor) for tensor in node.kernel.inputs],
                "gives": [str(tensor) for tensor in node.kernel.outputs],
            }
            for node in graph.nodes
        ],
        "findings": list(findings),
        "layer_notes": encode(assemble.layer_notes(lowered.notes)),
    }

    def show(console: Console) -> None:
        other_tables.show_kernels(graph, findings, console)

    terminal.report(document, show)
    found = verdicts.of_check(checked.reach, target, thresholds(options))
    return conclude(options, options.model, found, terminal)
