# SPDX-License-Identifier: BSD-3-Clause
"""Types of the tensors between kernels: a shape in stream order and a range of integers."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.integer]


@dataclass(frozen=True)
class Element:
    """The set of values that one element may take.

    Parameters
    ----------
    low, high : int
        Smallest and largest value.
    bipolar : bool
        The values are −1 and +1 only, in one bit: 1 is +1, 0 is −1.
    """

    low: int
    high: int
    bipolar: bool = False

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"element range must not be empty, not [{self.low}, {self.high}]")
        if self.bipolar and (self.low, self.high) != (-1, 1):
            raise ValueError(f"bipolar elements are -1 and +1, not [{self.low}, {self.high}]")

    @property
    def signed(self) -> bool:
        """Whether codes are in two's complement."""
        return self.low < 0 and not self.bipolar

    @property
    def bits(self) -> int:
        """Bits of one code."""
        if self.bipolar:
            return 1
        if self.low >= 0:
            return max(1, self.high.bit_length())
        return max((-self.low - 1).bit_length(), max(self.high, 0).bit_length()) + 1

    def holds(self, values: Integers) -> bool:
        """Whether all values are in this set."""
        if values.size == 0:
            return True
        inside = bool(values.min() >= self.low and values.max() <= self.high)
        return inside and (not self.bipolar or bool((values != 0).all()))

    def encode(self, values: Integers) -> NDArray[np.uint64]:
        """Codes as sent over a stream, masked to ``bits``."""
        if self.bipolar:
            return (values > 0).astype(np.uint64)
        mask = np.uint64((1 << self.bits) - 1)
        return values.astype(np.int64).view(np.uint64) & mask

    def decode(self, codes: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Values of codes: the inverse of `encode`."""
        values = codes.astype(np.int64)
        if self.bipolar:
            return 2 * values - 1
        if self.signed:
            values = np.where(values >> (self.bits - 1) & 1, values - (1 << self.bits), values)
        return values


BIPOLAR = Element(-1, 1, bipolar=True)


@dataclass(frozen=True)
class TensorType:
    """Shape ``(H, W, C)`` in stream order (raster, channels fastest) and the element."""

    shape: tuple[int, int, int]
    element: Element

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(f"a tensor has a positive shape (H, W, C), not {self.shape}")

    @property
    def size(self) -> int:
        """Elements per frame."""
        return prod(self.shape)

    def carries(self, other: TensorType) -> bool:
        """Whether a stream of this type is also a stream of ``other``: same elements, same order.

        The shapes may differ, because flattening in stream order moves no element.
        """
        return self.size == other.size and self.element == other.element

    def __str__(self) -> str:
        element = (
            "bipolar" if self.element.bipolar else f"[{self.element.low}, {self.element.high}]"
        )
        return f"{'x'.join(map(str, self.shape))} {element}"
