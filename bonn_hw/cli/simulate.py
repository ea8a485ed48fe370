# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw simulate``: run the RTL on images."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
from rich.console import Console

from bonn_hw.cli.arguments import count
from bonn_hw.errors import UserError

NAME = "simulate"
HELP = "simulate a build cycle by cycle and compare"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    parser.add_argument("build", type=Path, help="build folder")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--inputs", type=Path, help=".npy that the QONNX model would be fed")
    source.add_argument("--dataset", help="test images of a data set, with labels")
    parser.add_argument("--count", type=count, help="frames at most")
    parser.add_argument("--checkpoint", type=Path, help="run folder: compare with PyTorch")
    parser.add_argument("--outputs", type=Path, help=".npy for the answers")
    parser.add_argument("--json", type=Path, help="file for the report")
    parser.add_argument("--stall", type=int, metavar="SEED", help="random stalls on both ends")
    parser.add_argument("--trace", type=Path, help="wave file, .fst or .vcd")
    parser.add_argument("--jobs", type=count, default=os.cpu_count(), help="processes")


def run(options: argparse.Namespace, notes: Console) -> int:
    """Run the RTL on images."""
    from bonn_hw import files, pipeline
    from bonn_hw.images import ImageSource
    from bonn_hw.report import store, tables

    if options.trace is not None and options.trace.suffix not in (".fst", ".vcd"):
        raise UserError(f"--trace {options.trace}: waves are written as .fst or .vcd")
    build = pipeline.Build.load(options.build)
    with notes.status("") as status:
        outcome = pipeline.simulate_and_compare(
            build,
            ImageSource(options.inputs, options.dataset, options.count),
            options.checkpoint,
            options.jobs,
            options.stall,
            options.trace,
            lambda text: status.update(f"simulate: {text}"),
        )
    if options.outputs:
        with files.fresh_file(options.outputs) as partial, partial.open("wb") as stream:
            np.save(stream, outcome.answers.y)
    if options.json:
        store.save(outcome.report, options.json)
    tables.show(outcome.report, Console(highlight=False), this_run=True)
    return 0 if outcome.equal else 1
