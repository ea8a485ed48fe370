# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw compare``: find the first value that differs; write the values of a layer."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bonn_hw.cli.arguments import add_jobs, add_json, add_trust, seed
from bonn_hw.cli.exit_codes import DONE
from bonn_hw.cli.images import add_images, image_source
from bonn_hw.cli.outputs import check_writable, is_writable
from bonn_hw.cli.terminal import Terminal
from bonn_hw.cli.verdicts import add_verdicts, conclude, thresholds
from bonn_hw.errors import UserError

if TYPE_CHECKING:
    from bonn_hw.api.build import Build
    from bonn_hw.images import Images

NAME = "compare"
HELP = "find the first layer, pixel and cycle at which a build differs"


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
        "--layer",
        metavar="NAME",
        help="only write the integers that leave this layer of the RTL, or this unit, to --outputs",
    )
    parser.add_argument(
        "--outputs", metavar="FILE", type=Path, help="the .npy file for --layer: (N, H, W, C)"
    )
    add_json(parser)
    parser.add_argument(
        "--stall",
        metavar="SEED",
        type=seed,
        help="random stalls at input and output, from this seed; default: none",
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
    """Compare a build with its references."""
    from bonn_hw.api.build import Build
    from bonn_hw.report import store, verdicts
    from bonn_hw.report.grid import words

    if (options.layer is None) != (options.outputs is None):
        raise UserError("compare: --layer NAME and --outputs FILE go together")
    if options.checkpoint is not None and options.expected is not None:
        raise UserError("compare: --checkpoint and --expected exclude each other: compare twice")
    limits = thresholds(options)
    for target in (options.outputs, options.json, options.junit):
        check_writable(target)
    images, layers = _load(options)
    build = Build(options.build, trust=options.trust)
    with terminal.progress(NAME) as progress:
        if options.layer is not None:
            return _write_layer(options, build, images, terminal)
        writable = is_writable(options.build)
        if not writable:
            terminal.note(f"{options.build} cannot be written: its report is not changed")
        found = build.compare(
            images.values,
            expected=images.expected if layers is None else layers,
            torch=options.checkpoint,
            labels=images.labels,
            stall=options.stall,
            jobs=options.jobs,
            save=writable,
            strict=options.strict,
            progress=progress,
        )
    terminal.report_text(
        store.to_json(found.report),
        lambda console: console.print(words(str(found)), soft_wrap=True),
    )
    every = (*found.verdicts, *verdicts.of_thresholds(found.report, limits))
    return conclude(options, options.build, every, terminal)


def _load(options: argparse.Namespace) -> tuple[Images, dict[str, Any] | None]:
    """The frames, and the values of layers in an .npz file of ``--expected``."""
    from dataclasses import replace

    from bonn_hw import pipeline, verification
    from bonn_hw.images import read_arrays

    source, layers = image_source(options), None
    if source.expected is not None and source.expected.suffix == ".npz":
        layers = read_arrays(source.expected, "--expected")
        source = replace(source, expected=None)
    return verification.load_images(
        pipeline.Build.load(options.build, options.trust), source
    ), layers


def _write_layer(
    options: argparse.Namespace, build: Build, images: Images, terminal: Terminal
) -> int:
    import numpy as np

    from bonn_hw import files

    values = build.values(images.values, options.layer, rtl=True)
    with files.fresh_file(options.outputs) as partial, partial.open("wb") as stream:
        np.save(stream, values)
    terminal.result(f"{options.outputs}: {options.layer}, {' × '.join(map(str, values.shape))}")
    return DONE
