# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw prune``: merge similar filters of a run."""

from __future__ import annotations

import argparse
from pathlib import Path

from bonn_hw.cli.arguments import count
from bonn_hw.cli.exit_codes import DONE
from bonn_hw.cli.outputs import check_writable
from bonn_hw.cli.terminal import Terminal

NAME = "prune"
HELP = "prune similar filters of a trained network"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("run", metavar="RUN", type=Path, help="run folder, from 'bonn-hw train'")
    parser.add_argument(
        "--rate",
        metavar="SHARE",
        type=float,
        default=0.5,
        help="share of the filters of a layer to keep; default: %(default)s",
    )
    parser.add_argument(
        "--epochs",
        metavar="N",
        type=count,
        help="epochs in which similar filters are pulled together; default: a quarter of RUN's",
    )
    parser.add_argument(
        "--recover",
        metavar="N",
        type=count,
        help="epochs of training after that; default: a quarter of RUN's",
    )
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument(
        "--gamma",
        metavar="SHARE",
        type=float,
        help="share of the way to its group's mean that a filter goes with each step; default: "
        "so much that a thousandth of the distance is left after --epochs",
    )
    ways.add_argument(
        "--ramp",
        action="store_true",
        help="let the network see a blend that goes from the filters to the means instead",
    )
    parser.add_argument(
        "--narrow",
        action="store_true",
        help="make a chain narrower instead of copying the results of its filters: smaller, but "
        "another function",
    )
    parser.add_argument(
        "--out", metavar="NEW", type=Path, required=True, help="run folder to write"
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Merge similar filters of a run."""
    check_writable(options.out, "folder")
    from bonn_hw.nn.training.pruning import prune

    prune(
        options.run,
        options.out,
        options.rate,
        options.epochs,
        options.recover,
        progress=not terminal.quiet,
        gamma=options.gamma,
        ramp=options.ramp,
        narrow=options.narrow,
    )
    return DONE
