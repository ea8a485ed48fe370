# SPDX-License-Identifier: BSD-3-Clause
"""Width converter: the same elements in the same order, in beats of other lanes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bonn_hw.ir.design import Folding
from bonn_hw.ir.rtl import Instance
from bonn_hw.kernels.kernel import Relay, Resources, Schedule, divisors


@dataclass(frozen=True, eq=False)
class WidthConverter(Relay):
    """Beats of ``simd`` lanes to beats of ``pe`` lanes, one a multiple of the other."""

    stem: ClassVar[str] = "width_converter"

    def foldings(self) -> Iterator[Folding]:
        """Every pair of divisors of the frame of which one divides the other."""
        for wide in divisors(self.input.size):
            for narrow in divisors(wide)[:-1]:
                yield Folding(wide, narrow)
                yield Folding(narrow, wide)

    def cycles(self, folding: Folding) -> int:
        """One beat a cycle on the narrow side."""
        return self.input.size // min(folding.pe, folding.simd)

    def schedule(self, folding: Folding) -> Schedule:
        """A step per narrow beat; the wide side moves with the last (up) or the first (down)."""
        steps = np.arange(self.cycles(folding), dtype=np.int64)
        ratio = max(folding.pe, folding.simd) // min(folding.pe, folding.simd)
        if folding.pe > folding.simd:
            return Schedule(steps + 1, steps + 1, steps % ratio == ratio - 1, latency=1)
        taken = steps // ratio + 1
        return Schedule(taken, taken, np.ones(steps.size, np.bool_), latency=1)

    def resources(self, folding: Folding) -> Resources:
        """The wide register; going down, its load multiplexer too."""
        wide = max(folding.pe, folding.simd) * self.input.element.bits
        down = folding.pe < folding.simd
        return Resources(lut=(wide if down else 0) + 6, ff=wide + 6)

    def rtl(self, folding: Folding) -> Instance:
        """``width_converter.sv``."""
        return Instance(
            "width_converter",
            {
                "IN_LANES": folding.simd,
                "OUT_LANES": folding.pe,
                "BITS": self.input.element.bits,
            },
        )
