# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw release``: keep a run small."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

NAME = "release"
HELP = "keep a run in a few hundred kB"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    parser.add_argument("run", type=Path, help="run folder")
    parser.add_argument("--out", type=Path, required=True, help="the new folder")


def run(options: argparse.Namespace, notes: Console) -> int:
    """Keep a run small."""
    from bonn_hw.nn.training.checkpoint import Checkpoint
    from bonn_hw.nn.training.release import release

    weights = release(Checkpoint.load(options.run).network, options.run, options.out)
    notes.print(f"wrote {weights}: {weights.stat().st_size / 1000:.0f} kB")
    return 0
