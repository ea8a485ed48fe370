# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw sweep``: fold many designs."""

from __future__ import annotations

import argparse
from pathlib import Path

from bonn_hw.cli.arguments import add_external_data, add_jobs, add_json
from bonn_hw.cli.exit_codes import DONE, MISMATCH
from bonn_hw.cli.outputs import check_writable
from bonn_hw.cli.target import add_input, stated_grid
from bonn_hw.cli.terminal import Terminal
from bonn_hw.errors import InternalError

NAME = "sweep"
HELP = "fold many models for many boards, clocks and frame rates"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("file", metavar="SWEEP", type=Path, help="sweep file (.toml)")
    parser.add_argument(
        "--out",
        metavar="FOLDER",
        type=Path,
        required=True,
        help="folder to write, with one folder for each design",
    )
    add_input(parser)
    add_external_data(parser)
    add_jobs(parser)
    parser.add_argument(
        "--cluster", metavar="ADDRESS", help="run on the Dask workers of this scheduler"
    )
    add_json(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Fold many designs."""
    from bonn_hw import sweep
    from bonn_hw.report import other_tables
    from bonn_hw.report.codec import encode

    check_writable(options.out, "folder")
    check_writable(options.json)
    stated_grid(options)  # its errors come before the work
    rows = sweep.sweep(
        options.file,
        options.out,
        options.jobs,
        options.cluster,
        terminal.notes,
        options.grid,
        options.external_data,
    )
    written = [encode(row) for row in rows]
    terminal.report(written, lambda console: other_tables.show_sweep(rows, console))
    bugs = [f"{row.folder}:\n{row.traceback}" for row in rows if row.traceback is not None]
    if bugs:
        raise InternalError(f"{len(bugs)} of {len(rows)} designs failed:\n" + "\n".join(bugs))
    return MISMATCH if any(row.error is not None for row in rows) else DONE
