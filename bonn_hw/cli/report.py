# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw report``: print a report."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

NAME = "report"
HELP = "show a build's report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    parser.add_argument("build", type=Path, help="build folder")
    parser.add_argument("--json", action="store_true", help="print report.json itself")


def run(options: argparse.Namespace, notes: Console) -> int:
    """Print a report."""
    from bonn_hw.report import store, tables

    report = store.load_build(options.build)
    if options.json:
        print(store.to_json(report), end="")
    else:
        tables.show(report, Console(highlight=False))
    return 0
