# SPDX-License-Identifier: BSD-3-Clause
"""Find the scale of which all of some floats are whole multiples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LARGEST = (1 << 15) - 1  # largest absolute value of a multiple
MOST_LEVELS = 1 << 12  # different values
PARTS = 16  # the scale is the smallest difference of two values, or up to a 16th of it


def common_scale(values: NDArray[np.float32]) -> np.float32 | None:
    """The largest scale s with ``values == float32(s * integers)``; None if there is none.

    For example 0.5 for -0.5, 0.5 and 1.5, which are 2 * 0.5 apart but no multiples of 1. The
    integers have at most 16 bits. If all values are zero, the scale is 1.
    """
    levels = np.unique(np.asarray(values, np.float32)).astype(np.float64)
    if not levels.size or levels.size > MOST_LEVELS or not np.isfinite(levels).all():
        return None
    sizes = np.abs(levels)
    largest = sizes.max()
    if largest == 0:
        return np.float32(1)
    steps = np.concatenate([np.diff(levels), sizes[sizes > 0]])
    step = float(steps.min())
    for parts in range(1, PARTS + 1):
        count = np.rint(largest * parts / step)
        if count > LARGEST:
            return None
        near = np.float32(largest / count)  # more digits than step / parts
        for scale in (near, np.nextafter(near, np.float32(0)), np.nextafter(near, 2 * near)):
            if scale > 0 and multiples(levels, scale) is not None:
                return np.float32(scale)
    return None


def multiples(values: NDArray[np.floating], scale: np.float32) -> NDArray[np.int64] | None:
    """The integers of which the values are ``scale`` times; None if they are not."""
    integers = np.rint(values / np.float64(scale))
    same = (integers * np.float64(scale)).astype(np.float32) == values
    return integers.astype(np.int64) if bool(same.all()) else None
