# SPDX-License-Identifier: BSD-3-Clause
"""Max-pool over windows that do not overlap; on bits it is an OR."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bonn_hw.ir.design import Folding
from bonn_hw.ir.rtl import Bits, Instance
from bonn_hw.ir.tensor import Integers, TensorType
from bonn_hw.kernels.kernel import Lanewise, Resources, Schedule, check_window, lut_memory


@dataclass(frozen=True, eq=False)
class Pool(Lanewise):
    """One value of each ``kernel`` (KH, KW) of pixels; rows and columns that are over are dropped.

    Windows that overlap come as sliding windows, seen as a frame of ``OH*OW*KH*KW`` rows of one
    pixel, with a kernel of ``(KH*KW, 1)``.
    """

    input: TensorType
    kernel: tuple[int, int]

    def __post_init__(self) -> None:
        check_window(self.input, self.kernel)

    @property
    def inputs(self) -> tuple[TensorType, ...]:
        """The frame."""
        return (self.input,)

    @property
    def pooled(self) -> tuple[int, int, int]:
        """Shape of the output: one pixel a window."""
        height, width, channels = self.input.shape
        return (height // self.kernel[0], width // self.kernel[1], channels)

    def windows(self, frames: Integers) -> Integers:
        """Frames ``(N, H, W, C)`` as windows ``(N, OH, KH, OW, KW, C)``."""
        (rows, columns, channels), (high, wide) = self.pooled, self.kernel
        covered = frames[:, : rows * high, : columns * wide]
        return covered.reshape(-1, rows, high, columns, wide, channels)

    def cycles(self, folding: Folding) -> int:
        """One input beat a cycle."""
        return self.input.size // folding.simd

    def schedule(self, folding: Folding) -> Schedule:
        """A step per input beat; the last pixel of a window gives the output."""
        height, width, channels = self.input.shape
        (rows, columns, _), (high, wide) = self.pooled, self.kernel
        gives = np.zeros((height, width, channels // folding.simd), np.bool_)
        gives[high - 1 : rows * high : high, wide - 1 : columns * wide : wide] = True
        taken = np.arange(1, gives.size + 1, dtype=np.int64)
        return Schedule(taken, taken, gives.reshape(-1), latency=1)

    def depth(self, folding: Folding) -> int:
        """Words of the running values of a row of windows."""
        return self.pooled[1] * self.input.shape[2] // folding.pe

    @property
    def walk(self) -> Resources:
        """The counters of ``pool_walk.sv``."""
        counters = sum(extent.bit_length() for extent in (*self.input.shape, *self.kernel))
        return Resources(lut=1.5 * counters, ff=counters)

    def extents(self, folding: Folding) -> dict[str, int | Bits]:
        """Parameters of ``pool_walk.sv``."""
        height, width, channels = self.input.shape
        return {
            "H": height,
            "W": width,
            "FOLDS": channels // folding.pe,
            "KH": self.kernel[0],
            "KW": self.kernel[1],
        }


@dataclass(frozen=True, eq=False)
class MaxPool(Pool):
    """The maximum of each window."""

    stem: ClassVar[str] = "max_pool"

    @property
    def outputs(self) -> tuple[TensorType, ...]:
        """One pixel a window."""
        return (TensorType(self.pooled, self.input.element),)

    def reference(self, *frames: Integers) -> tuple[Integers, ...]:
        """Pool ``(N, H, W, C)``."""
        return (self.windows(frames[0]).max(axis=(2, 4)),)

    def resources(self, folding: Folding) -> Resources:
        """The running maxima of a row of windows, the comparison, counters, the output register."""
        data = folding.pe * self.input.element.bits
        maxima = lut_memory(self.depth(folding), data)
        compare = data if self.input.element.bits == 1 else 1.5 * data
        return Resources(lut=maxima + compare, ff=data + 1) + self.walk

    def rtl(self, folding: Folding) -> Instance:
        """``max_pool.sv``."""
        parameters = {
            "LANES": folding.pe,
            "BITS": self.input.element.bits,
            "IS_SIGNED": int(self.input.element.signed),
            **self.extents(folding),
        }
        return Instance("max_pool", parameters, sources=("cells/pool_walk.sv",))
