# SPDX-License-Identifier: BSD-3-Clause
"""Label select: which channel of a pixel is the largest."""

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
    """The index of each pixel's largest channel, the lowest of those that are equal."""

    stem: ClassVar[str] = "label_select"

    input: TensorType

    def __post_init__(self) -> None:
        if self.input.element.bipolar:
            raise ValueError(f"labels are selected among integers, not {self.input}")

    @property
    def inputs(self) -> tuple[TensorType, ...]:
        """The integers."""
        return (self.input,)

    @property
    def outputs(self) -> tuple[TensorType, ...]:
        """An index a pixel."""
        height, width, channels = self.input.shape
        return (TensorType((height, width, 1), Element(0, channels - 1)),)

    def reference(self, *frames: Integers) -> tuple[Integers, ...]:
        """Search ``(N, H, W, C)``."""
        return (frames[0].argmax(axis=3, keepdims=True),)

    def foldings(self) -> Iterator[Folding]:
        """Lanes that divide the channels; one index leaves."""
        for lanes in divisors(self.input.shape[2]):
            yield Folding(1, lanes)

    def cycles(self, folding: Folding) -> int:
        """One input beat a cycle."""
        return self.input.size // folding.simd

    def schedule(self, folding: Folding) -> Schedule:
        """A step per input beat; the last one of a pixel gives the output."""
        folds = self._folds(folding)
        beats = np.arange(1, self.cycles(folding) + 1, dtype=np.int64)
        return Schedule(beats, beats, beats % folds == 0, latency=1)

    def _folds(self, folding: Folding) -> int:
        return self.input.shape[2] // folding.simd

    def resources(self, folding: Folding) -> Resources:
        """Comparisons and choices of the tournament, the best so far, the base, the output.

        Three bits of both numbers at a time go into a carry chain; of a choice two bits share a
        LUT. What is chosen among the indices of lanes is as wide as the tournament is high.
        """
        bits, lanes, folds = self.input.element.bits, folding.simd, self._folds(folding)
        index = self.outputs[0].element.bits
        rounds = lanes - 1
        lut = rounds * (2 * bits / 3 + bits + (lanes - 1).bit_length() / 2)
        use = Resources(lut=lut + 2, ff=index + 1)
        if folds == 1:
            return use
        best = Resources(lut=2 * bits / 3 + index + 2, ff=bits + index)
        return use + best + counter(folds) + Resources(lut=index, ff=index)

    def rtl(self, folding: Folding) -> Instance:
        """``label_select.sv``."""
        parameters = {
            "LANES": folding.simd,
            "BITS": self.input.element.bits,
            "IS_SIGNED": int(self.input.element.signed),
            "FOLDS": self._folds(folding),
            "INDEX_BITS": self.outputs[0].element.bits,
        }
        return Instance("label_select", parameters, sources=("cells/counter.sv",))
