# SPDX-License-Identifier: BSD-3-Clause
"""What a kernel computes, in the few forms that software has a fast way for.

A kernel states its form in `Kernel.operation`; its `reference` stays the definition. Shapes and
ranges are those of the kernel's tensors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bonn_hw.ir.tensor import Integers


@dataclass(frozen=True)
class Windows:
    """Gather windows of ``kernel`` (KH, KW) pixels every ``stride`` pixels, in raster order."""

    kernel: tuple[int, int]
    stride: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Product:
    """``weights @ x`` at every pixel, and a constant.

    Attributes
    ----------
    weights : int8 or int16 ``(MH, MW)``
    constants : int64 ``(classes, MH)``
        Thresholds (the output is +1 where the sum is at least this, else −1) or offsets.
    compares : bool
        Whether they are thresholds.
    classes : int64 ``(OH, OW)``
        Row of ``constants`` for each pixel.
    """

    weights: Integers
    constants: NDArray[np.int64]
    compares: bool
    classes: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Compare:
    """+1 where ``(x >= thresholds[c]) != inverted[c]``, else −1."""

    thresholds: NDArray[np.int64]
    inverted: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Line:
    """``(slopes[c] * x + offsets[c]) >> shift``, clipped to the output's range.

    If ``ties_even``, the last bit of a step is cleared where the shift drops nothing but zeros.
    """

    slopes: NDArray[np.int64]
    offsets: NDArray[np.int64]
    shift: int
    ties_even: bool


@dataclass(frozen=True)
class Lookup:
    """An output depends on the value at its own pixel and channel, and on the channel."""


@dataclass(frozen=True)
class Border:
    """Add ``pads`` (top, left, bottom, right) pixels of one value."""

    pads: tuple[int, int, int, int]
    value: int


@dataclass(frozen=True)
class Maximum:
    """The maximum of windows of ``kernel`` (KH, KW) pixels that do not overlap."""

    kernel: tuple[int, int]


@dataclass(frozen=True)
class Total:
    """The sum over windows of ``kernel`` (KH, KW) pixels that do not overlap."""

    kernel: tuple[int, int]


@dataclass(frozen=True)
class Sum:
    """The sum of two tensors."""


@dataclass(frozen=True)
class Copies:
    """The input, once for each output."""


Operation = Windows | Product | Compare | Line | Lookup | Border | Maximum | Total | Sum | Copies
