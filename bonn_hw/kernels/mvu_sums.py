# SPDX-License-Identifier: BSD-3-Clause
"""What a matrix unit adds up: the sums of the RTL, their levels, and the bits of both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bonn_hw.ir.tensor import BIPOLAR, Element


def weight_element(weights: NDArray[np.int8 | np.int16]) -> Element:
    """Range of weights: bipolar if all are ±1, otherwise of two bits at least."""
    if (np.abs(weights) == 1).all():
        return BIPOLAR
    return Element(min(int(weights.min()), -2), max(int(weights.max()), 1))


@dataclass(frozen=True, eq=False)
class Sums:
    """The sums of weights and inputs, and the levels at which they start.

    Attributes
    ----------
    element, weights, thresholds, offsets
        Those of `Mvu`.
    """

    element: Element
    weights: NDArray[np.int8 | np.int16]
    thresholds: NDArray[np.int64] | None
    offsets: NDArray[np.int64] | None

    @cached_property
    def weight(self) -> Element:
        """Range of the weights."""
        return weight_element(self.weights)

    @property
    def counts(self) -> bool:
        """Whether weights and inputs are 1-bit: the unit is an XNOR-popcount."""
        return self.element.bipolar and self.weight.bipolar

    @cached_property
    def ends(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Smallest and largest ``weights @ x``, ``(MH,)`` each."""
        low, high = self.element.low, self.element.high
        positive = np.maximum(self.weights, 0).sum(axis=1, dtype=np.int64)
        negative = positive - self.weights.sum(axis=1, dtype=np.int64)
        return positive * low - negative * high, positive * high - negative * low

    @property
    def bounds(self) -> tuple[int, int]:
        """Smallest and largest ``weights @ x`` of any neuron."""
        low, high = self.ends
        return int(low.min()), int(high.max())

    @cached_property
    def adds(self) -> tuple[int, NDArray[np.int64]]:
        """Scale and shift from the RTL's sum h: ``weights @ x = scale * h - shift``.

        ========  =======  ========================================  =====  =======================
        weights   inputs   h                                         scale  shift
        ========  =======  ========================================  =====  =======================
        1-bit     1-bit    number of pairs that agree (popcount)     2      MW
        few-bit   1-bit    sum of the weights where the input is +1  2      sum of the weights
        1-bit     few-bit  sum of x, inverted (−x − 1) at weight −1  1      −(number of weights −1)
        few-bit   few-bit  ``weights @ x``                           1      0
        ========  =======  ========================================  =====  =======================

        For example, weights (+1, −1, +1) and bits (+1, +1, +1) agree twice: 2 * 2 − 3 = 1.
        """
        high, wide = self.weights.shape
        if self.counts:
            return 2, np.full(high, wide)
        if self.element.bipolar:
            return 2, self.weights.sum(axis=1, dtype=np.int64)
        if self.weight.bipolar:
            return 1, -(self.weights < 0).sum(axis=1, dtype=np.int64)
        return 1, np.zeros(high, np.int64)

    @cached_property
    def output(self) -> Element:
        """Range of the outputs."""
        if self.offsets is None:
            return BIPOLAR
        low, high = self.bounds
        return Element(low + int(self.offsets.min()), high + int(self.offsets.max()))

    @cached_property
    def level(self) -> tuple[Element, NDArray[np.int64]]:
        """Contents of the memory LEVELS of mvu.sv: their range and values ``(classes, MH)``.

        With thresholds the RTL tests ``h + level >= 0``, so a level is the negated threshold on h.
        Otherwise it adds the level to the sum.
        """
        scale, shift = self.adds
        if self.thresholds is not None:
            low, high = self.ends
            clipped = np.clip(self.thresholds, low, high + 1)  # always and never are kept
            levels = (-clipped - shift) // scale  # scale * h >= t + shift <=> h >= -level
            return Element(min(int(levels.min()), -1), max(int(levels.max()), 0)), levels
        assert self.offsets is not None  # noqa: S101  # narrows: the constructor refuses both None
        # Sums are taken modulo 2**bits of the output, so offsets may be as well.
        last = (1 << self.output.bits) - 1
        return Element(0, last), self.offsets - shift & last

    @cached_property
    def sum_bits(self) -> int:
        """Bits of a neuron's accumulator, which starts at its level."""
        scale, shift = self.adds
        if self.thresholds is None:
            return self.output.bits - (scale == 2)
        low, high = self.ends
        levels = self.level[1]
        smallest = ((low + shift) // scale + levels).min()
        largest = ((high + shift) // scale + levels).max()
        return Element(min(int(smallest), -1), max(int(largest), 0)).bits

    @cached_property
    def level_bits(self) -> int:
        """Memory bits per level; bits that are constant or equal to another bit need none."""
        element, levels = self.level
        columns = levels.reshape(-1, 1) >> np.arange(element.bits) & 1
        varying = columns[:, (columns != columns[0]).any(axis=0)]
        return int(np.unique(varying, axis=1).shape[1])
