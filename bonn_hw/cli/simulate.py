# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw simulate``: run the RTL on images."""

from __future__ import annotations

import argparse
from pathlib import Path

from bonn_hw.cli.arguments import add_jobs, add_json, add_trust, seed
from bonn_hw.cli.images import add_images, image_source
from bonn_hw.cli.outputs import check_writable, is_writable
from bonn_hw.cli.terminal import Terminal
from bonn_hw.cli.verdicts import add_verdicts, conclude, thresholds
from bonn_hw.errors import UserError

NAME = "simulate"
HELP = "simulate a build cycle by cycle and compare it with the model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "build", metavar="BUILD", type=Path, help="build folder, from 'bonn-hw compile'"
    )
    add_trust(parser)
    add_images(parser, required=True, own_data=True)
    parser.add_argument(
        "--checkpoint",
        metavar="RUN",
        type=Path,
        help="run folder of the training: also compare with PyTorch",
    )
    parser.add_argument(
        "--outputs",
        metavar="FILE",
        type=Path,
        help="write the outputs of the RTL to this .npy file; several outputs: to NAME_0.npy, ...",
    )
    add_json(parser)
    parser.add_argument(
        "--stall",
        metavar="SEED",
        type=seed,
        help="random stalls at input and output, from this seed; default: none",
    )
    parser.add_argument(
        "--engine",
        choices=("auto", "verilator", "sliced"),
        default="auto",
        help="what simulates: Verilator, or the gates of hundreds of images at once; default: the "
        "gates if there are many frames, and no --trace",
    )
    parser.add_argument(
        "--netlist",
        action="store_true",
        help="simulate the netlist that 'bonn-hw synth' makes, as gates: what the device would run",
    )
    parser.add_argument(
        "--trace", metavar="FILE", type=Path, help="write the waveforms to this file (.fst or .vcd)"
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="exit with 1 also where ONNX Runtime's rounded sums decide otherwise, or cycles are "
        "not as predicted",
    )
    add_jobs(parser)
    add_verdicts(parser, accuracy=True)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Run the RTL on images."""
    import numpy as np

    from bonn_hw import files, pipeline, verification
    from bonn_hw.report import store, tables, verdicts

    if options.trace is not None and options.trace.suffix not in (".fst", ".vcd"):
        raise UserError(f"--trace {options.trace}: name a file that ends with .fst or .vcd")
    source, limits = image_source(options), thresholds(options)
    if limits.accuracy is not None and options.dataset is None and options.labels is None:
        raise UserError("--min-accuracy needs the labels of the frames: give --labels or --dataset")
    for target in (options.trace, options.outputs, options.json, options.junit):
        check_writable(target)
    build = pipeline.Build.load(options.build, options.trust)
    writable = is_writable(options.build)
    if not writable:
        terminal.note(f"{options.build} cannot be written: its report is not changed")
    with terminal.progress("simulate") as progress:
        outcome = verification.simulate_and_compare(
            build,
            source,
            options.checkpoint,
            options.jobs,
            options.stall,
            options.trace,
            progress,
            keep=writable,
            simulator=options.engine,
            netlist=options.netlist,
        )
    kept = outcome.answers.run.kept
    if kept:
        terminal.note(f"{kept:,} frames were kept from the simulation that was interrupted")
    if options.outputs:
        parts = list(build.host.by_name(outcome.answers.y).values())
        for place, part in enumerate(parts):
            name = options.outputs
            if len(parts) > 1:
                name = name.with_name(f"{name.stem}_{place}{name.suffix}")
            with files.fresh_file(name) as partial, partial.open("wb") as stream:
                np.save(stream, part)
    report = outcome.report
    terminal.report_text(
        store.to_json(report), lambda console: tables.show(report, console, this_run=True)
    )
    found = (
        *verdicts.of_simulation(report, options.strict),
        *verdicts.of_thresholds(report, limits),
    )
    return conclude(options, options.build, found, terminal)
