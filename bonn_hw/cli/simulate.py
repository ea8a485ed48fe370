# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw simulate``: run the RTL on images."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
from rich.console import Console

from bonn_hw.cli.arguments import count
from bonn_hw.cli.images import load_images
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
    from bonn_hw.report import tables, values

    if options.trace is not None and options.trace.suffix not in (".fst", ".vcd"):
        raise UserError(f"--trace {options.trace}: waves are written as .fst or .vcd")
    build = pipeline.Build.load(options.build)
    checkpoint = None
    if options.checkpoint is not None:
        from bonn_hw.nn.training.checkpoint import Checkpoint

        checkpoint = Checkpoint.load(options.checkpoint)
    # Our own exports say how images become inputs; other models are fed images in [0, 1].
    experiment = checkpoint.experiment if checkpoint else None
    transform = experiment.transform if experiment else build.facts["model"].get("transform")
    images, labels = load_images(options, build.host.input_shape, transform)
    with notes.status("") as status:
        answers = pipeline.simulate(
            build,
            images,
            options.jobs,
            options.stall,
            options.trace,
            lambda text: status.update(f"simulate: {text}"),
        )
        status.update("simulate: PyTorch")
        pytorch = checkpoint.predict(images) if checkpoint else None
        integers = checkpoint.accumulators(images) if checkpoint else None
    facts = values.simulated(build.facts, answers, labels, pytorch, integers, options.stall)
    if options.outputs:
        with files.fresh_file(options.outputs) as partial, partial.open("wb") as stream:
            np.save(stream, answers.y)
    if options.json:
        values.save(facts, options.json)
    values.save(facts, options.build / values.NAME)
    tables.show(facts, Console(highlight=False))
    return 1 if facts["mismatches"] else 0
