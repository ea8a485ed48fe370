# SPDX-License-Identifier: BSD-3-Clause
"""Width converter (DWC): the same elements in the same order, with other lanes per beat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.integers import divisors
from bonn_hw.ir.kernel import Passthrough
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.rtl import Instance
from bonn_hw.ir.schedule import Schedule
from bonn_hw.kernels.cost import counter


@dataclass(frozen=True, eq=False)
class WidthConverter(Passthrough):
    """Beats of ``simd`` lanes to beats of ``pe`` lanes, one a multiple of the other."""

    stem: ClassVar[str] = "width_converter"

    def foldings(self) -> Iterator[Folding]:
        """Every pair of divisors of the frame's size of which one divides the other."""
        for wide in divisors(self.input.size):
            for narrow in divisors(wide)[:-1]:
                yield Folding(wide, narrow)
                yield Folding(narrow, wide)

    def cycles(self, folding: Folding) -> int:
        """One beat per cycle on the narrow side."""
        return self.input.size // min(folding.pe, folding.simd)

    def schedule(self, folding: Folding) -> Schedule:
        """One step per narrow beat; the wide beat moves with the last (up) or the first (down)."""
        ratio = max(folding.pe, folding.simd) // min(folding.pe, folding.simd)
        repeats = self.cycles(folding) // ratio
        if folding.pe > folding.simd:
            beats = np.arange(1, ratio + 1, dtype=np.int64)
            return Schedule(beats, beats, beats == ratio, latency=1, repeats=repeats)
        one = np.ones(ratio, np.int64)
        return Schedule(one, one, np.ones(ratio, np.bool_), latency=1, repeats=repeats)

    def resources(self, folding: Folding) -> Resources:
        """The wide register and a counter; to narrow beats also a multiplexer, 2 bits per LUT."""
        few, many = sorted((folding.pe, folding.simd))
        use = counter(many // few) + Resources(lut=2, ff=many * self.input.element.bits + 1)
        if folding.pe > folding.simd:
            return use
        return use + Resources(lut=(many - few) * self.input.element.bits / 2, ff=1)

    def rtl(self, folding: Folding) -> Instance:
        """``width_converter.sv``."""
        return Instance(
            "width_converter",
            {
                "IN_LANES": folding.simd,
                "OUT_LANES": folding.pe,
                "BITS": self.input.element.bits,
            },
            sources=("cells/counter.sv",),
        )
