# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw witness``: compare with FINN."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from bonn_hw.cli.arguments import count, positive

NAME = "witness"
HELP = "compare a QONNX model layer by layer with FINN"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    parser.add_argument("model", type=Path, help="the .onnx file")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--inputs", type=Path, help=".npy that the QONNX model would be fed")
    source.add_argument("--dataset", help="test images of a data set")
    parser.add_argument("--count", type=count, default=8, help="of them; default: %(default)s")
    parser.add_argument(
        "--random", type=count, default=8, help="random frames besides; default: %(default)s"
    )
    parser.add_argument("--board", default="pynq-z2", help="default: %(default)s")
    parser.add_argument("--clock-mhz", type=positive, help="default: the board's")
    parser.add_argument(
        "--fps", type=positive, default=1000, help="estimates are of this; default: %(default)s"
    )
    parser.add_argument("--folding", type=Path, help="JSON that fixes layers, ours or FINN's")
    parser.add_argument("--json", type=Path, help="file for the report")


def run(options: argparse.Namespace, notes: Console) -> int:
    """Compare with FINN."""
    from bonn_hw import pipeline
    from bonn_hw.boards import board
    from bonn_hw.images import ImageSource
    from bonn_hw.interop.crosscheck import witness
    from bonn_hw.ir.target import Target
    from bonn_hw.report import other_tables, store

    images = None
    if options.inputs or options.dataset:
        model = pipeline.read_model(options.model)
        source = ImageSource(options.inputs, options.dataset, options.count)
        transform = model.metadata.get("transform")
        images = source.load(model.shapes[model.input], transform).values
    chosen = board(options.board)
    # Layers that a file fixes say how fast it is.
    rate = None if options.folding else options.fps
    target = Target(chosen, options.clock_mhz or chosen.clock_mhz, rate)
    with notes.status("") as status:
        found = witness(
            options.model,
            images,
            options.random,
            target,
            options.folding,
            lambda text: status.update(f"witness: {text}"),
        )
    if options.json:
        store.save(found, options.json)
    other_tables.show_witness(found, Console(highlight=False))
    return 1 if found.verdict == "differs" else 0
