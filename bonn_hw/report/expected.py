# SPDX-License-Identifier: BSD-3-Clause
"""The outputs that the user expects, such as PyTorch's, against the RTL's.

Floats of another program are compared: their sums may be rounded differently. A frame agrees if its
outputs are within `DIGITS` of the frame's largest output. Where a rounded sum is on the other side
of a threshold, whole steps differ; that is explained if ONNX Runtime, which rounds its sums too,
gives the expected outputs. Any other difference is a mismatch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bonn_hw.errors import UserError
from bonn_hw.report.answers import Answers
from bonn_hw.report.values import Expected

DIGITS = 1e-5  # rounding of float32 sums is some 1e-7; a step of an output is mostly above 1e-4


@dataclass(frozen=True, eq=False)
class ExpectedComparison:
    """The counts for the report, and which frames differ, bool ``(N,)``."""

    counts: Expected
    differ: NDArray[np.bool_]


def compare_expected(
    answers: Answers, expected: NDArray[np.float32], rounded: NDArray[np.bool_] | None = None
) -> ExpectedComparison:
    """Compare the RTL's outputs with the expected ones ``(N, ...)``.

    Parameters
    ----------
    rounded : bool ``(N,)`` or None
        Frames in which a rounded sum is known to lead to another expected output.
    """
    ours = answers.y
    far = distance(ours, expected)
    equal, near = far == 0, far <= DIGITS
    known = np.zeros(len(ours), np.bool_) if rounded is None else rounded
    if answers.rounded is not None:
        known = known | (distance(answers.rounded, expected) <= DIGITS)
    differ = ~near & ~known
    largest = float(far[~differ].max(initial=0.0))
    counts = Expected(
        equal=int(equal.sum()),
        last_digits=int((near & ~equal).sum()),
        rounded=int((~near & known).sum()),
        differ=int(differ.sum()),
        largest=float(f"{largest:.3g}"),
    )
    return ExpectedComparison(counts, differ)


def wrong_values(
    answers: Answers, expected: NDArray[np.float32], rounded: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """The RTL's outputs, with those expected ones in their places that make a frame differ."""
    differ = compare_expected(answers, expected, rounded).differ
    ours = answers.y.reshape(len(expected), -1)
    theirs = expected.reshape(ours.shape)
    size = np.abs(np.where(np.isfinite(theirs), theirs, 0.0)).max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        near = np.abs(ours - theirs) <= DIGITS * np.where(size == 0, 1.0, size)
    chosen: NDArray[np.float32] = np.where(differ[:, None] & ~near, theirs, ours)
    return chosen.reshape(answers.y.shape)


def check_shape(expected: NDArray[np.float32], frames: int, shape: tuple[int, ...]) -> None:
    """Raise UserError if there is not one output of a shape, in any form, for each frame."""
    if len(expected) == frames and expected.size == frames * math.prod(shape):
        return
    labels = "; classes are given with --labels" if expected.size == frames else ""
    raise UserError(
        f"--expected: the outputs of {frames} frames have the shape {(frames, *shape)}, not "
        f"{expected.shape}{labels}"
    )


def distance(ours: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """For each frame, the largest difference as a share of the largest output; inf for NaN."""
    one = ours.reshape(len(ours), -1).astype(np.float64)
    other = others.reshape(len(ours), -1).astype(np.float64)
    equal = (one == other) | (np.isnan(one) & np.isnan(other))
    with np.errstate(invalid="ignore"):
        difference = np.where(equal, 0.0, np.abs(one - other))
    size = np.abs(np.where(np.isfinite(other), other, 0.0)).max(axis=1)
    size = np.where(size == 0, 1.0, size)
    far: NDArray[np.float64] = np.nan_to_num(difference.max(axis=1) / size, nan=np.inf)
    return far
