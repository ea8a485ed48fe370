# SPDX-License-Identifier: BSD-3-Clause
"""Combine: the difference, product, maximum or minimum of two streams, element by element."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.kernel import Paired
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.rtl import Instance
from bonn_hw.ir.tensor import Element, Integers, TensorType
from bonn_hw.kernels.cost import multiplier

# In the order of the RTL's parameter FUNCTION.
FUNCTIONS: dict[str, Callable[[Integers, Integers], Integers]] = {
    "subtract": np.subtract,
    "multiply": np.multiply,
    "maximum": np.maximum,
    "minimum": np.minimum,
}


@dataclass(frozen=True, eq=False)
class Combine(Paired):
    """``function(left, right)``, element by element; sums have a kernel of their own, `Add`.

    Parameters
    ----------
    function : str
        One of `FUNCTIONS`.
    """

    stem: ClassVar[str] = "combine"

    function: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.function not in FUNCTIONS:
            raise ValueError(f"Combine has {', '.join(FUNCTIONS)}, not {self.function!r}")

    @property
    def outputs(self) -> tuple[TensorType, ...]:
        """The results; each function takes its extremes at ends of the ranges."""
        left, right = self.left.element, self.right.element
        ends = np.array([left.low, left.high], np.int64), np.array([right.low, right.high])
        corners = self._apply(ends[0][:, None], ends[1][None])
        element = Element(int(corners.min()), int(corners.max()))
        return (TensorType(self.left.shape, element),)

    def _apply(self, left: Integers, right: Integers) -> Integers:
        return FUNCTIONS[self.function](left, right)

    def reference(self, *frames: Integers) -> tuple[Integers, ...]:
        """Combine ``(N, H, W, C)``."""
        left, right = (frame.astype(np.int64) for frame in frames)
        return (self._apply(left, right),)

    def resources(self, folding: Folding) -> Resources:
        """Subtractors, multipliers, or comparators and multiplexers; the output register."""
        left, right = self.left.element, self.right.element
        bits = self.outputs[0].element.bits
        if self.function == "subtract":
            lane = Resources(lut=bits - 1)  # the highest bit is the carry
        elif self.function == "multiply":
            lane = multiplier(left.bits, right.bits)
        else:
            lane = Resources(lut=self._choice())
        lane += Resources(ff=0 if lane.dsp else bits)
        return Resources(*(folding.pe * part for part in lane.astuple())) + Resources(lut=2, ff=1)

    def _choice(self) -> float:
        """LUT that compare two numbers and select one (measured).

        Up to four bits it is a small tree of LUT. Wider comparisons use a carry chain: three bits
        of both numbers need two LUT, and two bits of the multiplexer share one. Of the wider number
        only the bits that the other has are compared one by one.
        """
        left, right = self.left.element, self.right.element
        signed = left.signed or right.signed
        narrow, wide = sorted(one.bits + (signed and not one.signed) for one in (left, right))
        if wide <= 4:
            return (1, 1, 2, 6)[wide - 1]
        compared = 2 * (narrow // 3) + (narrow % 3 > 0) + (wide - narrow) // 6
        return compared + wide // 2

    def rtl(self, folding: Folding) -> Instance:
        """``combine.sv``."""
        function = list(FUNCTIONS).index(self.function)
        return Instance("combine", self.widths(folding) | {"FUNCTION": function})
