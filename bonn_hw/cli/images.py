# SPDX-License-Identifier: BSD-3-Clause
"""The options for input frames: a NumPy file, or the test images of a data set."""

from __future__ import annotations

import argparse
from pathlib import Path

from bonn_hw.cli.arguments import count
from bonn_hw.images import ImageSource


def add_images(parser: argparse.ArgumentParser, required: bool, default: int | None = None) -> None:
    """Add the options for the source and the number of frames."""
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
    parser.add_argument(
        "--count",
        metavar="N",
        type=count,
        default=default,
        help=f"use the first N of them; default: {default or 'all'}",
    )


def image_source(options: argparse.Namespace) -> ImageSource:
    """The source of frames that the options select."""
    return ImageSource(options.inputs, options.dataset, options.count)
