# SPDX-License-Identifier: BSD-3-Clause
"""The options for input frames: a NumPy file, a data set, or random ones."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bonn_hw.cli.arguments import count
from bonn_hw.errors import UserError

if TYPE_CHECKING:
    from bonn_hw.images import ImageSource


def add_images(
    parser: argparse.ArgumentParser,
    required: bool,
    default: int | None = None,
    own_data: bool = False,
) -> None:
    """Add the options for the source and the number of frames.

    Parameters
    ----------
    own_data : bool
        Also random frames, and files with labels and expected outputs.
    """
    source = parser.add_mutually_exclusive_group(required=required)
    source.add_argument(
        "--inputs",
        metavar="FILE",
        type=Path,
        help=".npy file with inputs of the QONNX model: float32, batch first",
    )
    source.add_argument(
        "--dataset", metavar="NAME", help="test images of this data set, with their labels"
    )
    if own_data:
        source.add_argument(
            "--random", metavar="N", type=count, help="random frames, the same each time"
        )
        parser.add_argument(
            "--labels",
            metavar="FILE",
            type=Path,
            help=".npy file with the class of each frame of --inputs, for the accuracy",
        )
        parser.add_argument(
            "--expected",
            metavar="FILE",
            type=Path,
            help=".npy file with the outputs that you expect for --inputs, such as PyTorch's",
        )
    parser.add_argument(
        "--count",
        metavar="N",
        type=count,
        default=default,
        help=f"use the first N of them; default: {default or 'all'}",
    )


def image_source(options: argparse.Namespace) -> ImageSource:
    """The source of frames that the options select."""
    from bonn_hw.images import ImageSource

    own = {name: getattr(options, name, None) for name in ("labels", "expected")}
    for name, given in own.items():
        if given is not None and options.inputs is None:
            raise UserError(f"--{name} {given} goes with --inputs: it is about the frames there")
    random = getattr(options, "random", None) if hasattr(options, "expected") else None
    return ImageSource(
        options.inputs, options.dataset, options.count, random, own["labels"], own["expected"]
    )
