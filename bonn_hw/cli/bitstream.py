# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw bitstream``: make a bitstream; exit code 3 if its tool is not installed."""

from __future__ import annotations

import argparse
from pathlib import Path

from bonn_hw.cli.arguments import add_json, add_trust, positive
from bonn_hw.cli.exit_codes import DONE, TOOL_MISSING
from bonn_hw.cli.outputs import check_writable
from bonn_hw.cli.terminal import Terminal
from bonn_hw.errors import ToolMissing, UserError

NAME = "bitstream"
HELP = "make the bitstream of a build and its driver"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "build", metavar="BUILD", type=Path, help="build folder, from 'bonn-hw compile'"
    )
    add_trust(parser)
    parser.add_argument(
        "--tool",
        choices=("vivado", "open"),
        help="vivado, or open: Yosys and nextpnr; default: the board's usual tool",
    )
    parser.add_argument(
        "--board",
        metavar="NAME",
        help="name of a board, or path of a board's file; default: as compiled",
    )
    parser.add_argument(
        "--clock-mhz",
        metavar="MHZ",
        type=positive,
        help="clock frequency in MHz; default: as compiled, or the board's only one",
    )
    parser.add_argument(
        "--take",
        metavar="PATH",
        nargs="?",
        type=Path,
        const=True,
        help="check and pack the results of a plan that was run elsewhere: the results.tar.gz "
        "that run.sh has written there, or the folder of the run; default: BUILD/system/vivado",
    )
    parser.add_argument(
        "--no-proof",
        action="store_true",
        help="do not read the finished bitstream back to a netlist and simulate that; --tool open "
        "does so for a Zynq-7000",
    )
    add_json(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Make a bitstream; exit code 3 if its tool is not installed."""
    from bonn_hw import after_build, pipeline
    from bonn_hw.report import store, tables

    build = pipeline.Build.load(options.build, options.trust)
    if options.take is not None and options.tool == "open":
        raise UserError("--take is for results of Vivado: leave --tool open out")
    board = options.board or build.report.target.board
    tool, clock_mhz = after_build.bitstream_defaults(build, board)
    check_writable(options.build, "folder")
    check_writable(options.json)
    try:
        with terminal.progress("bitstream") as progress:
            if options.take is not None:
                place = None if options.take is True else options.take
                report = after_build.take_bitstream(
                    build, place, options.board, options.clock_mhz, progress
                )
            else:
                report = after_build.make_bitstream(
                    build,
                    board,
                    options.clock_mhz or clock_mhz,
                    options.tool or tool,
                    progress,
                    not options.no_proof,
                )
    except ToolMissing as error:
        terminal.error(f"bonn-hw: {error}")
        return TOOL_MISSING
    ends_before = after_build.board_ends_before(build)
    if ends_before:
        terminal.note(
            f"the board's driver has NumPy only: it returns what stands before {ends_before}"
        )
    terminal.report_text(store.to_json(report), lambda console: tables.show(report, console))
    return DONE
