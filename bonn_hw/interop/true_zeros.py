# SPDX-License-Identifier: BSD-3-Clause
"""Thresholds of a matrix unit whose padding is zeros, instead of the -1 in our streams."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bonn_hw.kernels.mvu import Mvu


def thresholds_on_zeros(kernel: Mvu, outside: NDArray[np.bool_] | None) -> NDArray[np.int64] | None:
    """The thresholds (or offsets) ``(MH,)`` that the unit would have if padding were zeros.

    A padded input is streamed as -1, so that a sum is too small by that input's weight. Each
    border class of the unit corrects for that by thresholds of its own. Returns None if no
    common thresholds give the same outputs for all classes.

    Parameters
    ----------
    outside : bool, ``(OH, OW, MW)``, or None
        Which inputs are padding at each output pixel; None if none are.
    """
    if kernel.classes == 1:
        own: NDArray[np.int64] = kernel.thresholds_or_offsets[0]
        return own
    if outside is None:
        return None
    columns = kernel.columns[-1] + 1
    classes = np.add.outer(np.array(kernel.rows) * columns, np.array(kernel.columns))
    by_class: dict[int, tuple[NDArray[np.bool_], NDArray[np.int64]]] = {}
    for place in np.ndindex(*kernel.pixels):
        missing = (kernel.weights * outside[place]).sum(axis=1, dtype=np.int64)
        by_class.setdefault(int(classes[place]), (outside[place], missing))
    sign = 1 if kernel.offsets is None else -1
    bits = bool(np.isin(kernel.weights, (-1, 1)).all())
    # The sums of a class have one parity, so its threshold is exact only up to 1: try the lowest.
    moved = [
        kernel.thresholds_or_offsets[number] + sign * missing
        for number, (_, missing) in by_class.items()
    ]
    levels: NDArray[np.int64] = np.min(moved, axis=0)
    for number, (mask, missing) in by_class.items():
        mine = kernel.thresholds_or_offsets[number]
        if kernel.offsets is not None:
            if (levels + missing != mine).any():
                return None
            continue
        if bits:
            reach = kernel.weights.shape[1] - int(mask.sum())
            sums = np.arange(-reach, reach + 1, 2)[:, None] - missing
        else:
            reach = int(np.abs(kernel.weights.astype(np.int64)).sum(axis=1).max())
            sums = np.arange(-reach, reach + 1)[:, None] - missing
        if ((sums >= mine) != (sums >= levels - missing)).any():
            return None
    return levels
