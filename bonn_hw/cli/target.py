# SPDX-License-Identifier: BSD-3-Clause
"""The flags that state a target: board, clock, rate, and layers that are fixed."""

from __future__ import annotations

import argparse
from pathlib import Path

from bonn_hw.cli.arguments import fraction, positive


def add_target(command: argparse.ArgumentParser) -> None:
    """Add the flags of a target."""
    command.add_argument(
        "--board", default="pynq-z2", help="name, or path of a board's file; default: %(default)s"
    )
    command.add_argument("--clock-mhz", type=positive, help="default: the board's")
    rate = command.add_mutually_exclusive_group()
    rate.add_argument("--fps", type=positive, help="frames per second to reach")
    rate.add_argument("--max-fps", action="store_true", help="as many as fit the board")
    command.add_argument(
        "--lut-fraction",
        type=fraction,
        default=0.7,
        help="part of the board's LUT that --max-fps may use; default: %(default)s",
    )
    command.add_argument("--latency-ms", type=positive, help="first beat in to first beat out")
    fixed = command.add_mutually_exclusive_group()
    fixed.add_argument("--folding", type=Path, help="JSON that fixes layers, ours or FINN's")
    fixed.add_argument(
        "--keep-folding",
        dest="folding",
        action="store_const",
        const="model",
        help="PE and SIMD as a hardware graph of FINN's states them",
    )
    command.add_argument("--checkpoint", type=Path, help="run folder: PyTorch decides float ties")
