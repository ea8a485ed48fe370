# SPDX-License-Identifier: BSD-3-Clause
"""Upsample: nearest neighbours; every pixel is repeated to the right and downwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.integers import power_of_two
from bonn_hw.ir.kernel import Elementwise
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.rtl import Instance
from bonn_hw.ir.schedule import Schedule
from bonn_hw.ir.tensor import Integers, TensorType
from bonn_hw.kernels.cost import counter, lut_memory


@dataclass(frozen=True, eq=False)
class Upsample(Elementwise):
    """Frames ``(H, W, C)`` to ``(KY * H, KX * W, C)``; ``factors`` are (KY, KX)."""

    stem: ClassVar[str] = "upsample"

    input: TensorType
    factors: tuple[int, int]

    def __post_init__(self) -> None:
        if min(self.factors) < 1:
            raise ValueError(f"factors must be positive, not {self.factors}")

    @property
    def inputs(self) -> tuple[TensorType, ...]:
        """The frame."""
        return (self.input,)

    @property
    def outputs(self) -> tuple[TensorType, ...]:
        """The larger frame."""
        (height, width, channels), (down, right) = self.input.shape, self.factors
        return (TensorType((height * down, width * right, channels), self.input.element),)

    def reference(self, *frames: Integers) -> tuple[Integers, ...]:
        """Repeat pixels of ``(N, H, W, C)``."""
        return (frames[0].repeat(self.factors[0], axis=1).repeat(self.factors[1], axis=2),)

    def cycles(self, folding: Folding) -> int:
        """One output beat per cycle."""
        return self.outputs[0].size // folding.pe

    def depth(self, folding: Folding) -> int:
        """Beats of the ring buffer: a row or a pixel that is read again, at least two."""
        (_, width, channels), (down, right) = self.input.shape, self.factors
        folds = channels // folding.simd
        repeated = width * folds if down > 1 else folds if right > 1 else 1
        return max(2, power_of_two(repeated))

    def schedule(self, folding: Folding) -> Schedule:
        """One step per output beat; a beat leaves the ring buffer with its last copy."""
        (height, width, channels), (down, right) = self.input.shape, self.factors
        folds = channels // folding.simd
        beats = np.arange(1, height * width * folds + 1, dtype=np.int64)
        places = beats.reshape(height, 1, width, 1, folds)
        need = np.broadcast_to(places, (height, down, width, right, folds))
        freed = np.zeros(need.shape, np.int64)
        freed[:, -1, :, -1] = 1
        return Schedule(
            need.reshape(-1),
            np.cumsum(freed),
            np.ones(need.size, np.bool_),
            latency=1,
            capacity=self.depth(folding),
        )

    def resources(self, folding: Folding) -> Resources:
        """The ring buffer with its fill and addresses, counters, the output register.

        A ring buffer of more than 64 beats is split into banks, with enables and a multiplexer that
        selects from four banks per LUT.
        """
        (_, width, channels), (down, right) = self.input.shape, self.factors
        depth, data = self.depth(folding), folding.pe * self.input.element.bits
        pointer = depth.bit_length() - 1
        counts = (channels // folding.pe, right, width, down, depth)
        control = Resources(lut=4 * pointer + 8, ff=3 * pointer + 3)
        parts = depth // 64 if depth > 64 else 0
        ring = Resources(lut=lut_memory(depth, data) + data * parts / 4 + parts, ff=data)
        return sum(map(counter, counts), ring + control)

    def rtl(self, folding: Folding) -> Instance:
        """``upsample.sv``."""
        _, width, channels = self.input.shape
        return Instance(
            "upsample",
            {
                "LANES": folding.pe,
                "BITS": self.input.element.bits,
                "W": width,
                "FOLDS": channels // folding.pe,
                "KY": self.factors[0],
                "KX": self.factors[1],
                "DEPTH": self.depth(folding),
            },
            sources=("cells/counter.sv",),
        )
