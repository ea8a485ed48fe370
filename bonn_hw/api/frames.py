# SPDX-License-Identifier: BSD-3-Clause
"""Input frames of the Python API: NumPy arrays and PyTorch tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonn_hw.errors import UserError


def as_float32(values: Any, what: str = "inputs") -> NDArray[np.float32]:
    """Frames as float32, batch first; numbers of other types are rounded to float32.

    Raises
    ------
    UserError
        If they are not numbers.
    """
    if hasattr(values, "detach"):  # a tensor of PyTorch, which need not be imported for this
        values = values.detach().cpu().numpy()
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise UserError(f"{what}: these are {array.dtype}, not numbers: give float32, batch first")
    return np.ascontiguousarray(array, np.float32)


def as_labels(values: Any, frames: int) -> NDArray[np.int64]:
    """Classes ``(N,)``, one for each frame."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    array = np.asarray(values)
    if array.size != frames or array.dtype.kind not in "iub":
        raise UserError(
            f"labels: {array.dtype} of the shape {array.shape}: give one whole number for each of "
            f"the {frames} frames"
        )
    return array.reshape(-1).astype(np.int64)
