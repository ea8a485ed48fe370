# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw bitstream``: make a bitstream; 3 where its tool is not here."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from bonn_hw.cli.arguments import positive
from bonn_hw.errors import ToolMissing

NAME = "bitstream"
HELP = "make a build's bitstream and driver"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    parser.add_argument("build", type=Path, help="build folder")
    parser.add_argument(
        "--tool",
        choices=("vivado", "open"),
        help="open: Yosys and nextpnr, for PYNQ-Z1, -Z2 and ULX3S; default: vivado where it can",
    )
    parser.add_argument("--board", help="default: the one that it was compiled for")
    parser.add_argument("--clock-mhz", type=positive, help="default: as compiled")


def run(options: argparse.Namespace, notes: Console) -> int:
    """Make a bitstream; 3 where its tool is not here."""
    from bonn_hw import pipeline
    from bonn_hw.report import tables

    build = pipeline.Build.load(options.build)
    target = build.report.target
    board = options.board or target.board
    tool, clock_mhz = pipeline.bitstream_defaults(board, target.clock_mhz)
    try:
        with notes.status("") as status:
            report = pipeline.make_bitstream(
                build,
                board,
                options.clock_mhz or clock_mhz,
                options.tool or tool,
                lambda text: status.update(f"bitstream: {text}"),
            )
    except ToolMissing as error:
        notes.print(f"bonn-hw: {error}", soft_wrap=True)
        return 3
    tables.show(report, Console(highlight=False))
    return 0
