# SPDX-License-Identifier: BSD-3-Clause
"""The frames that a command is given: a NumPy file, or the test images of a data set."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

from bonn_hw.cli.arguments import count
from bonn_hw.errors import UserError


def add_images(parser: argparse.ArgumentParser, required: bool, default: int | None = None) -> None:
    """Add where frames come from, and how many are taken."""
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


def load_images(
    options: argparse.Namespace, shape: tuple[int, ...], transform: str | None
) -> tuple[NDArray[np.float32], NDArray[np.int64] | None]:
    """The images of the options, and their labels where they are known."""
    import numpy as np

    if options.inputs is not None:
        try:
            images: Any = np.load(options.inputs, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise UserError(
                f"--inputs {options.inputs} cannot be read as a NumPy array ({error}): write it "
                "with numpy.save, float32, batch first"
            ) from error
        return (images[: options.count] if images.ndim else images), None
    from bonn_hw.nn.data import datasets

    tests = datasets.load(options.dataset, "test").first(options.count)
    if transform is not None:
        tests = tests.transformed(transform)
    if tests.images.shape[1:] != shape:
        raise UserError(
            f"--dataset {options.dataset}: its images are {tests.images.shape[1:]}, the model "
            f"takes {shape}: prepare them yourself and give them with --inputs"
        )
    return tests.images, tests.labels
