# SPDX-License-Identifier: BSD-3-Clause
"""Add: the element-wise sum of two streams of integers, where two branches join."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.kernel import Paired
from bonn_hw.ir.operation import Sum
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.rtl import Instance
from bonn_hw.ir.tensor import Element, Integers, TensorType


@dataclass(frozen=True, eq=False)
class Add(Paired):
    """``left + right``, element by element; the output range is the sum of the input ranges."""

    stem: ClassVar[str] = "add"

    @property
    def outputs(self) -> tuple[TensorType, ...]:
        """The sums."""
        left, right = self.left.element, self.right.element
        element = Element(left.low + right.low, left.high + right.high)
        return (TensorType(self.left.shape, element),)

    def reference(self, *frames: Integers) -> tuple[Integers, ...]:
        """Add ``(N, H, W, C)``."""
        left, right = frames
        return (left.astype(np.int64) + right,)

    def operation(self) -> Sum:
        """The sum."""
        return Sum()

    def resources(self, folding: Folding) -> Resources:
        """The adders, one LUT per bit except for the last carry, and the output register."""
        bits = self.outputs[0].element.bits
        adder = min(bits, max(self.left.element.bits, self.right.element.bits))
        return Resources(lut=folding.pe * adder + 2, ff=folding.pe * bits + 1)

    def rtl(self, folding: Folding) -> Instance:
        """``add.sv``."""
        return Instance("add", self.widths(folding))
