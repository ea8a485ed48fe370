# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw train``: train an experiment."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from bonn_hw.cli.arguments import count

NAME = "train"
HELP = "train an experiment file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    parser.add_argument("experiment", type=Path, help="a .toml of flows/")
    parser.add_argument("--out", type=Path, required=True, help="run folder")
    parser.add_argument("--resume", action="store_true", help="go on where the run folder ends")
    parser.add_argument("--limit", type=count, help="train with the first so many images only")


def run(options: argparse.Namespace, notes: Console) -> int:
    """Train an experiment."""
    from bonn_hw.nn.training.train import train

    train(options.experiment, options.out, resume=options.resume, limit=options.limit)
    return 0
