# SPDX-License-Identifier: BSD-3-Clause
"""The options of a target: board, clock, frame rate, and fixed foldings."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bonn_hw.cli.arguments import add_external_data, fraction, positive

if TYPE_CHECKING:
    from bonn_hw.frontend import StatedGrid


def add_board(parser: argparse.ArgumentParser) -> None:
    """Add the board and its clock."""
    parser.add_argument(
        "--board",
        metavar="NAME",
        default="pynq-z2",
        help="target board: its name, such as kv260, or the path of a board's file; "
        "default: %(default)s",
    )
    add_clock(parser)


def add_clock(parser: argparse.ArgumentParser) -> None:
    """Add the clock."""
    parser.add_argument(
        "--clock-mhz",
        metavar="MHZ",
        type=positive,
        help="clock frequency in MHz; default: the board's",
    )


def add_folding(group: argparse._ActionsContainer) -> None:
    """Add the option for a file of fixed foldings."""
    group.add_argument(
        "--folding",
        metavar="FILE",
        type=Path,
        help="JSON file with PE and SIMD of some or all layers, by the layer names of "
        "bonn-hw or FINN",
    )


def add_input(parser: argparse.ArgumentParser) -> None:
    """Add the values of an input that the model does not quantise."""
    parser.add_argument(
        "--input",
        dest="grid",
        metavar="GRID",
        help="values of the input, of a model without a quantiser there: an integer type and a "
        "scale, such as uint8/255, uint8/256, int8 or int4*0.125",
    )


def stated_grid(options: argparse.Namespace) -> StatedGrid | None:
    """The values of the input that were stated; raises UserError."""
    from bonn_hw.frontend import StatedGrid

    return None if options.grid is None else StatedGrid.parse(options.grid)


def add_target(parser: argparse.ArgumentParser) -> None:
    """Add the options of a target."""
    add_board(parser)
    add_input(parser)
    add_external_data(parser)
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument(
        "--fps", metavar="N", type=positive, help="frame rate to reach, in frames per second"
    )
    rate.add_argument(
        "--max-fps", action="store_true", help="highest frame rate that fits the board"
    )
    parser.add_argument(
        "--lut-fraction",
        metavar="SHARE",
        type=fraction,
        default=0.7,
        help="share of the board's LUTs that --max-fps may use, above 0 and at most 1; "
        "default: %(default)s",
    )
    parser.add_argument(
        "--prefer",
        choices=("lut", "bram", "dsp"),
        default="lut",
        help="resource to save: LUTs, block memories or DSP slices; the others are used while the "
        "board has any; default: %(default)s",
    )
    parser.add_argument(
        "--no-dsp",
        dest="dsp",
        action="store_false",
        help="no DSP slices: for bitstream --tool open, which builds sums from LUTs",
    )
    parser.add_argument(
        "--latency-ms",
        metavar="MS",
        type=positive,
        help="maximum latency of a frame in milliseconds; default: any",
    )
    fixed = parser.add_mutually_exclusive_group()
    add_folding(fixed)
    fixed.add_argument(
        "--keep-folding",
        dest="folding",
        action="store_const",
        const="model",
        help="keep the PE and SIMD of the model (for a hardware graph of FINN)",
    )
    parser.add_argument(
        "--checkpoint",
        metavar="RUN",
        type=Path,
        help="run folder of the training: where PyTorch and ONNX Runtime round differently, "
        "follow PyTorch",
    )
