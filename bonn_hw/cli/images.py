# SPDX-License-Identifier: BSD-3-Clause
"""The frames that a command is given: a NumPy file, or the test images of a data set."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonn_hw.errors import UserError


def load_images(
    options: argparse.Namespace, shape: tuple[int, ...], transform: str | None
) -> tuple[NDArray[np.float32], NDArray[np.int64] | None]:
    """The images of the options, and their labels where they are known."""
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
