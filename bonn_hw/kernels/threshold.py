# SPDX-License-Identifier: BSD-3-Clause
"""Threshold: integers to bits, one threshold a channel (where no matrix unit precedes directly)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bonn_hw.ir.design import Folding
from bonn_hw.ir.rtl import Instance, MemoryImage
from bonn_hw.ir.stream import pack_bits
from bonn_hw.ir.tensor import BIPOLAR, Element, Integers, TensorType
from bonn_hw.kernels.kernel import Lanewise, Resources, Schedule, lut_memory


@dataclass(frozen=True, eq=False)
class Threshold(Lanewise):
    """+1 where ``(x >= thresholds[c]) != inverted[c]``, else −1."""

    stem: ClassVar[str] = "threshold"

    input: TensorType
    thresholds: NDArray[np.int64]
    inverted: NDArray[np.bool_]

    def __post_init__(self) -> None:
        channels = (self.input.shape[2],)
        if self.thresholds.shape != channels or self.inverted.shape != channels:
            raise ValueError(f"one threshold and one inversion for each of {channels[0]} channels")

    @property
    def inputs(self) -> tuple[TensorType, ...]:
        """The integers."""
        return (self.input,)

    @property
    def outputs(self) -> tuple[TensorType, ...]:
        """As many bits."""
        return (TensorType(self.input.shape, BIPOLAR),)

    def reference(self, *frames: Integers) -> tuple[Integers, ...]:
        """Compare ``(N, H, W, C)``."""
        above = (frames[0] >= self.thresholds) != self.inverted
        return (np.where(above, 1, -1).astype(np.int8),)

    def cycles(self, folding: Folding) -> int:
        """One beat a cycle."""
        return self.input.size // folding.pe

    def schedule(self, folding: Folding) -> Schedule:
        """A step per beat, through two registers."""
        beats = np.arange(1, self.cycles(folding) + 1, dtype=np.int64)
        return Schedule(beats, beats, np.ones(beats.size, np.bool_), latency=2)

    @property
    def level(self) -> Element:
        """Range of a clipped threshold: from always to never."""
        return Element(self.input.element.low, self.input.element.high + 1)

    def resources(self, folding: Folding) -> Resources:
        """Threshold memory, comparators, two registers."""
        word = folding.pe * (self.level.bits + 1)
        memory = lut_memory(self.input.shape[2] // folding.pe, word)
        data = folding.pe * self.input.element.bits
        return Resources(lut=memory / 2 + folding.pe * self.level.bits / 2 + 8, ff=data + word + 8)

    def rtl(self, folding: Folding) -> Instance:
        """``threshold.sv``."""
        element, folds = self.input.element, self.input.shape[2] // folding.pe
        level = self.level
        clipped = np.clip(self.thresholds, level.low, level.high)
        inversion = self.inverted[:, None].astype(np.uint8)
        fields = np.concatenate([pack_bits(clipped, 1, level), inversion], axis=1)
        return Instance(
            "threshold",
            {
                "LANES": folding.pe,
                "BITS": element.bits,
                "IS_SIGNED": int(element.signed),
                "FOLDS": folds,
                "LEVEL_BITS": level.bits,
            },
            {"LEVELS": MemoryImage(fields.reshape(folds, -1))},
        )
