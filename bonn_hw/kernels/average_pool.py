# SPDX-License-Identifier: BSD-3-Clause
"""Average pool: the sums over windows that do not overlap, up to whole frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.operation import Total
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.rtl import Instance
from bonn_hw.ir.tensor import Element, Integers, TensorType
from bonn_hw.kernels.max_pool import WINDOW_COUNTER, Pool


@dataclass(frozen=True, eq=False)
class AveragePool(Pool):
    """The exact sum of each window.

    The division is part of the requantisation that follows, because only that knows the rounding.
    """

    stem: ClassVar[str] = "average_pool"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.input.element.bipolar:
            raise ValueError(f"only integers are averaged, not {self.input}")

    @property
    def outputs(self) -> tuple[TensorType, ...]:
        """One pixel per window; the range is KH * KW times that of the input."""
        element, pixels = self.input.element, self.kernel[0] * self.kernel[1]
        return (TensorType(self.pooled, Element(element.low * pixels, element.high * pixels)),)

    def reference(self, *frames: Integers) -> tuple[Integers, ...]:
        """Sum up ``(N, H, W, C)``."""
        return (self.windows(frames[0]).sum(axis=(2, 4), dtype=np.int64),)

    def operation(self) -> Total:
        """The reference, for software."""
        return Total(self.kernel)

    def resources(self, folding: Folding) -> Resources:
        """Running sums of a row of windows, adders, counters and the output register."""
        data = folding.pe * self.outputs[0].element.bits
        output = Resources(lut=2, ff=data + 1)
        if self.kernel == (1, 1):
            return output
        return output + Resources(lut=data) + self.running(folding, data) + self.counters(folding)

    def rtl(self, folding: Folding) -> Instance:
        """``average_pool.sv``."""
        parameters = {
            "LANES": folding.pe,
            "BITS": self.input.element.bits,
            "IS_SIGNED": int(self.input.element.signed),
            "OUT_BITS": self.outputs[0].element.bits,
            **self.extents(folding),
        }
        return Instance("average_pool", parameters, sources=WINDOW_COUNTER)
