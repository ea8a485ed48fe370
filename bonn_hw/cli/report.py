# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw report``: print a report."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from bonn_hw.errors import UserError

NAME = "report"
HELP = "show a build's report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    parser.add_argument("build", type=Path, help="build folder")
    parser.add_argument("--json", action="store_true", help="print report.json itself")


def run(options: argparse.Namespace, notes: Console) -> int:
    """Print a report."""
    from bonn_hw.report import tables, values

    path = options.build / values.NAME
    if not path.is_file():
        raise UserError(f"{options.build} is not a build: it has no {values.NAME}")
    if options.json:
        print(path.read_text(), end="")
    else:
        tables.show(values.load(path), Console(highlight=False))
    return 0
