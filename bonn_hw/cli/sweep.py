# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw sweep``: fold many designs."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from rich.console import Console

from bonn_hw.cli.arguments import count

NAME = "sweep"
HELP = "fold many models for many boards, clocks, rates"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    parser.add_argument("file", type=Path, help="a .toml with lists of them")
    parser.add_argument("--out", type=Path, required=True, help="folder for all designs")
    parser.add_argument("--jobs", type=count, default=os.cpu_count(), help="processes")
    parser.add_argument("--cluster", metavar="ADDRESS", help="run on the workers of this scheduler")


def run(options: argparse.Namespace, notes: Console) -> int:
    """Fold many designs."""
    from bonn_hw import sweep
    from bonn_hw.report import other_tables

    rows = sweep.sweep(options.file, options.out, options.jobs, options.cluster, notes)
    other_tables.show_sweep(rows, Console(highlight=False))
    return 1 if any(row.error is not None for row in rows) else 0
