# SPDX-License-Identifier: BSD-3-Clause
"""Windows over padded frames: output extents and the border classes of the true zero."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pads = tuple[int, int, int, int]  # top, left, bottom, right
NO_PADS: Pads = (0, 0, 0, 0)


@dataclass(frozen=True)
class Geometry:
    """Kernel (KH, KW) at strides (SY, SX) over a frame (H, W) with padding around it.

    With a `dilation` of a pool, only every (DY, DX)-th row and column of a window is part of it.
    """

    frame: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    pads: Pads
    dilation: tuple[int, int] = (1, 1)

    @property
    def padded(self) -> tuple[int, int]:
        """Height and width with the padding."""
        top, left, bottom, right = self.pads
        return self.frame[0] + top + bottom, self.frame[1] + left + right

    @property
    def pixels(self) -> tuple[int, int]:
        """Number of windows in each direction (OH, OW)."""
        rows, columns = (
            (extent - kernel) // stride + 1
            for extent, kernel, stride in zip(self.padded, self.kernel, self.stride, strict=True)
        )
        return rows, columns

    @property
    def taps(self) -> NDArray[np.int64]:
        """Places of the taps in a window of KH * KW pixels; all of them without a dilation."""
        (high, wide), (down, right) = self.kernel, self.dilation
        places = np.arange(high * wide, dtype=np.int64).reshape(high, wide)
        return places[::down, ::right].reshape(-1)

    def classes(self) -> tuple[tuple[int, ...], tuple[int, ...], NDArray[np.bool_]]:
        """Group output pixels into border classes by the taps that lie in the padding.

        Returns
        -------
        rows, columns : tuples of OH and OW classes
            From 0, one more where the padded taps change: (0, 1, 1, 2) for three
            taps over four pixels with a pad of 1 on both sides.
        padded : bool ``(classes, KH, KW)``
            True where a tap of the class is padding; class = row class * column classes + column
            class.
        """
        rows, row_taps = _classes(0, self)
        columns, column_taps = _classes(1, self)
        padded = row_taps[:, None, :, None] | column_taps[None, :, None, :]
        return rows, columns, padded.reshape(-1, *self.kernel)


def _classes(axis: int, geometry: Geometry) -> tuple[tuple[int, ...], NDArray[np.bool_]]:
    before, extent = geometry.pads[axis], geometry.frame[axis]
    first = np.arange(geometry.pixels[axis]) * geometry.stride[axis] - before
    taps = np.add.outer(first, np.arange(geometry.kernel[axis]))
    outside = (taps < 0) | (taps >= extent)
    changes = (outside[1:] != outside[:-1]).any(axis=1)
    classes = np.concatenate([[0], np.cumsum(changes)])
    leaders = np.concatenate([[True], changes])
    return tuple(int(c) for c in classes), outside[leaders]


def explicit_pads(
    auto_pad: str,
    pads: Pads,
    frame: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
) -> Pads:
    """Turn ONNX's auto_pad into pads (operator Conv, attribute auto_pad)."""
    if auto_pad in ("NOTSET", ""):
        return pads
    if auto_pad == "VALID":
        return (0, 0, 0, 0)
    both = [
        max(0, (-(-extent // step) - 1) * step + size - extent)
        for extent, size, step in zip(frame, kernel, stride, strict=True)
    ]
    less, more = [total // 2 for total in both], [total - total // 2 for total in both]
    before, after = (less, more) if auto_pad == "SAME_UPPER" else (more, less)
    return (before[0], before[1], after[0], after[1])
