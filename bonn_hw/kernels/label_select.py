# SPDX-License-Identifier: BSD-3-Clause
"""Label select: the indices of the largest channels of each pixel (argmax, top-k)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.integers import divisors
from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.rtl import Instance
from bonn_hw.ir.schedule import Schedule
from bonn_hw.ir.tensor import Element, Integers, TensorType
from bonn_hw.kernels.cost import counter


@dataclass(frozen=True, eq=False)
class LabelSelect(Kernel):
    """The indices of each pixel's `count` largest channels, the largest first.

    Of equal channels the one with the lowest index comes first.
    """

    stem: ClassVar[str] = "label_select"

    input: TensorType
    count: int = 1

    def __post_init__(self) -> None:
        if self.input.element.bipolar:
            raise ValueError(f"labels are selected among integers, not {self.input}")
        if not 1 <= self.count <= self.input.shape[2]:
            raise ValueError(f"{self.count} labels of {self.input.shape[2]} channels")

    @property
    def inputs(self) -> tuple[TensorType, ...]:
        """The integers."""
        return (self.input,)

    @property
    def outputs(self) -> tuple[TensorType, ...]:
        """Indices of each pixel."""
        height, width, channels = self.input.shape
        return (TensorType((height, width, self.count), Element(0, channels - 1)),)

    def reference(self, *frames: Integers) -> tuple[Integers, ...]:
        """Sort the channels of ``(N, H, W, C)``; equal ones stay in their order."""
        order = np.argsort(-frames[0].astype(np.int64), axis=3, kind="stable")
        return (order[..., : self.count],)

    def foldings(self) -> Iterator[Folding]:
        """Input lanes that divide the channels; one for several labels, which leave in one beat."""
        for lanes in divisors(self.input.shape[2]) if self.count == 1 else (1,):
            yield Folding(self.count, lanes)

    def cycles(self, folding: Folding) -> int:
        """One input beat per cycle."""
        return self.input.size // folding.simd

    def schedule(self, folding: Folding) -> Schedule:
        """One step per input beat; the last beat of a pixel sends the output."""
        beats = np.arange(1, self._folds(folding) + 1, dtype=np.int64)
        repeats = self.cycles(folding) // beats.size
        return Schedule(beats, beats, beats == beats.size, latency=1, repeats=repeats)

    def _folds(self, folding: Folding) -> int:
        return self.input.shape[2] // folding.simd

    def resources(self, folding: Folding) -> Resources:
        """A tournament over the lanes, the best lane so far, the base index, and the output.

        Each comparison also selects an index, which grows by one bit per round; two bits of a
        multiplexer share a LUT.
        """
        bits, lanes, folds = self.input.element.bits, folding.simd, self._folds(folding)
        index = self.outputs[0].element.bits
        if self.count > 1:
            # Each place compares, three bits with two LUT of a carry chain. All but the first take
            # the beat, the place above, or themselves, number and index. The output register is
            # the list of indices.
            compared = 2 * (bits // 3) + (bits % 3 > 0)
            lut = self.count * (compared + bits + index + 1) - bits - index / 2 - 1
            ff = self.count * (bits + index + 1) + 1
            return Resources(lut=lut, ff=ff) + counter(folds)
        games = [lanes >> height for height in range(1, lanes.bit_length())]
        chosen = sum(height * count for height, count in enumerate(games))
        lut = (lanes - 1) * _larger(bits) + chosen / 2
        use = Resources(lut=lut + 2, ff=index + 1)
        if folds == 1:
            return use
        best = Resources(lut=2 * bits / 3 + 2 * index + 2, ff=bits + index)
        return use + best + counter(folds) + Resources(lut=index, ff=index)

    def logic_depth(self, folding: Folding) -> int:
        """Highest logic depth: three LUT and a carry chain per round of the tournament (measured).

        The first chain of a path does not count. The rounds are not pipelined: ten lanes have four
        rounds, a logic depth of up to fifteen, and limit the clock. A count of more folds than a
        LUT has inputs for is one deeper.
        """
        folds = self._folds(folding)
        if self.count > 1:
            return 5
        rounds = (folding.simd - 1).bit_length() + (folds > 1)
        return 4 * max(1, rounds) - 1 + (folds > 64)

    def rtl(self, folding: Folding) -> Instance:
        """``label_select.sv``."""
        parameters = {
            "LANES": folding.simd,
            "BITS": self.input.element.bits,
            "IS_SIGNED": int(self.input.element.signed),
            "FOLDS": self._folds(folding),
            "INDEX_BITS": self.outputs[0].element.bits,
            "COUNT": self.count,
        }
        return Instance("label_select", parameters, sources=("cells/counter.sv",))


def _larger(bits: int) -> float:
    """LUT that compare two numbers and select the larger one.

    Up to four bits this is a small tree of LUT (measured). Wider comparisons use a carry chain:
    three bits of both numbers need two LUT, and two bits of the multiplexer share a LUT.
    """
    if bits <= 4:
        return bits * (1.25 if bits < 4 else 1.58)
    return 2 * (bits // 3) + (bits % 3 > 0) + bits / 2
