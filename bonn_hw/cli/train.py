# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw train``: train an experiment."""

from __future__ import annotations

import argparse
from pathlib import Path

from bonn_hw.cli.arguments import count
from bonn_hw.cli.exit_codes import DONE
from bonn_hw.cli.outputs import check_writable
from bonn_hw.cli.terminal import Terminal

NAME = "train"
HELP = "train the network of an experiment file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "experiment", metavar="EXPERIMENT", type=Path, help="experiment file (.toml)"
    )
    parser.add_argument(
        "--out", metavar="RUN", type=Path, required=True, help="run folder to write"
    )
    parser.add_argument(
        "--resume", action="store_true", help="continue the training in the run folder"
    )
    parser.add_argument(
        "--limit", metavar="N", type=count, help="train with the first N images only; default: all"
    )
    parser.add_argument(
        "--tensorboard",
        action="store_true",
        help="also write logs for TensorBoard, into the folder tensorboard of the run",
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Train an experiment."""
    check_writable(options.out, "folder")
    from bonn_hw.nn.training.train import train

    train(
        options.experiment,
        options.out,
        resume=options.resume,
        progress=not terminal.quiet,
        limit=options.limit,
        tensorboard=options.tensorboard,
    )
    return DONE
