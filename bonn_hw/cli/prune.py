# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw prune``: merge alike filters of a run."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from bonn_hw.cli.arguments import count

NAME = "prune"
HELP = "make a run with fewer filters of a finished one"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    parser.add_argument("run", type=Path, help="run folder")
    parser.add_argument(
        "--rate", type=float, default=0.5, help="share of filters to keep; default: %(default)s"
    )
    parser.add_argument(
        "--epochs", type=count, help="to draw alike filters together; default: a quarter of RUN's"
    )
    parser.add_argument(
        "--recover", type=count, help="epochs of training after that; default: a quarter of RUN's"
    )
    parser.add_argument("--out", type=Path, required=True, help="the new run folder")


def run(options: argparse.Namespace, notes: Console) -> int:
    """Merge alike filters of a run."""
    from bonn_hw.nn.training.pruning import prune

    prune(options.run, options.out, options.rate, options.epochs, options.recover)
    return 0
