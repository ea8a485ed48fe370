# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw witness``: compare with FINN."""

from __future__ import annotations

import argparse
from pathlib import Path

from bonn_hw.cli.arguments import add_external_data, add_json, count, positive
from bonn_hw.cli.exit_codes import DONE, MISMATCH
from bonn_hw.cli.images import add_images, image_source
from bonn_hw.cli.outputs import check_writable
from bonn_hw.cli.target import add_board, add_folding, add_input, stated_grid
from bonn_hw.cli.terminal import Terminal

NAME = "witness"
HELP = "compare a QONNX model layer by layer with FINN"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="QONNX file (.onnx)")
    add_images(parser, required=False, default=8)
    parser.add_argument(
        "--random",
        metavar="N",
        type=count,
        default=8,
        help="number of additional random frames; default: %(default)s",
    )
    add_board(parser)
    parser.add_argument(
        "--fps",
        metavar="N",
        type=positive,
        default=1000,
        help="frame rate of the design whose estimates are compared, in frames per second; "
        "default: %(default)s",
    )
    add_folding(parser)
    add_input(parser)
    add_external_data(parser)
    add_json(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Compare with FINN."""
    from bonn_hw import pipeline
    from bonn_hw.boards import board
    from bonn_hw.interop.crosscheck import crosscheck
    from bonn_hw.ir.target import Target
    from bonn_hw.report import other_tables, store

    check_writable(options.json)
    images, grid = None, stated_grid(options)
    if options.inputs or options.dataset:
        model = pipeline.read_model(options.model, grid, options.external_data)
        transform = model.metadata.get("transform")
        images = image_source(options).load(model.shapes[model.input], transform).values
    chosen = board(options.board)
    # A folding file already determines the frame rate.
    rate = None if options.folding else options.fps
    target = Target(chosen, options.clock_mhz or chosen.clock_mhz, rate)
    with terminal.progress("witness") as progress:
        result = crosscheck(
            options.model,
            images,
            options.random,
            target,
            options.folding,
            progress,
            grid,
            options.external_data,
        )
    terminal.report_text(
        store.to_json(result), lambda console: other_tables.show_crosscheck(result, console)
    )
    return MISMATCH if result.verdict == "differs" else DONE
