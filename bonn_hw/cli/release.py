# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw release``: archive a run."""

from __future__ import annotations

import argparse
from pathlib import Path

from bonn_hw.cli.exit_codes import DONE
from bonn_hw.cli.outputs import check_writable
from bonn_hw.cli.terminal import Terminal

NAME = "release"
HELP = "archive a run: 1-bit weights and figures, in a few hundred kB"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("run", metavar="RUN", type=Path, help="run folder, from 'bonn-hw train'")
    parser.add_argument("--out", metavar="FOLDER", type=Path, required=True, help="folder to write")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Archive a run."""
    check_writable(options.out, "folder")
    from bonn_hw.nn.training.checkpoint import Checkpoint
    from bonn_hw.nn.training.release import release

    weights = release(Checkpoint.load(options.run).network, options.run, options.out)
    terminal.note(f"wrote {weights}: {weights.stat().st_size / 1000:.0f} kB")
    return DONE
