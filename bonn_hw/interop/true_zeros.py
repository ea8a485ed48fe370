# SPDX-License-Identifier: BSD-3-Clause
"""What a unit's thresholds would be if its padding were zeros, and not the -1 of our streams."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bonn_hw.kernels.mvu import Mvu


def levels_on_zeros(kernel: Mvu, outside: NDArray[np.bool_] | None) -> NDArray[np.int64] | None:
    """A unit's levels ``(MH,)`` on true zeros; None if no such levels give its classes'.

    A padded input is streamed as -1, so that a sum is too small by that input's weight.
    """
    if kernel.classes == 1:
        own: NDArray[np.int64] = kernel.thresholds_or_offsets[0]
        return own
    if outside is None:
        return None
    columns = kernel.columns[-1] + 1
    classes = np.add.outer(np.array(kernel.rows) * columns, np.array(kernel.columns))
    found: dict[int, tuple[NDArray[np.bool_], NDArray[np.int64]]] = {}
    for place in np.ndindex(*kernel.pixels):
        missing = (kernel.weights * outside[place]).sum(axis=1, dtype=np.int64)
        found.setdefault(int(classes[place]), (outside[place], missing))
    sign = 1 if kernel.offsets is None else -1
    # A class knows its threshold up to the parity of its sums: the lowest one is all classes'.
    moved = [
        kernel.thresholds_or_offsets[number] + sign * missing
        for number, (_, missing) in found.items()
    ]
    levels: NDArray[np.int64] = np.min(moved, axis=0)
    for number, (mask, missing) in found.items():
        mine = kernel.thresholds_or_offsets[number]
        if kernel.offsets is not None:
            if (levels + missing != mine).any():
                return None
            continue
        reach = kernel.weights.shape[1] - int(mask.sum())
        sums = np.arange(-reach, reach + 1, 2)[:, None] - missing
        if ((sums >= mine) != (sums >= levels - missing)).any():
            return None
    return levels
