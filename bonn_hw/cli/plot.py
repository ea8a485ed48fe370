# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw plot``: plot a training run."""

from __future__ import annotations

import argparse
from pathlib import Path

from bonn_hw.cli.arguments import numbers
from bonn_hw.cli.exit_codes import DONE
from bonn_hw.cli.outputs import check_writable
from bonn_hw.cli.terminal import Terminal

NAME = "plot"
HELP = "plot the accuracy and the weights of a training run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("run", metavar="RUN", type=Path, help="run folder, from 'bonn-hw train'")
    parser.add_argument("--against", metavar="RUN", type=Path, help="run folder to compare with")
    parser.add_argument(
        "--layers",
        metavar="N,N",
        type=numbers,
        help="1-bit layers to plot separately, counted from 1; default: 2,8,14",
    )
    parser.add_argument(
        "--out", metavar="FOLDER", type=Path, help="default: the folder figures in the run folder"
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Plot a training run."""
    check_writable(options.out, "folder")
    from bonn_hw.nn.figures import plot

    layers = options.layers or plot.PAPER_LAYERS
    for path in plot.plot(options.run, options.out, options.against, layers):
        terminal.result(str(path))
    return DONE
