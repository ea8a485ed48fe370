# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw plot``: draw a run."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from bonn_hw.cli.arguments import numbers

NAME = "plot"
HELP = "draw how a run's kernels and accuracy developed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    parser.add_argument("run", type=Path, help="run folder")
    parser.add_argument("--against", type=Path, metavar="RUN", help="run folder to compare with")
    parser.add_argument(
        "--layers", type=numbers, help="1-bit layers shown one by one, from 1; default: 2,8,14"
    )
    parser.add_argument("--out", type=Path, help="folder; default: figures in the run folder")


def run(options: argparse.Namespace, notes: Console) -> int:
    """Draw a run."""
    from bonn_hw.nn.figures import plot

    layers = options.layers or plot.PAPER_LAYERS
    for path in plot.plot(options.run, options.out, options.against, layers):
        print(path)
    return 0
