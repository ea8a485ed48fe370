# SPDX-License-Identifier: BSD-3-Clause
"""Max-pool over windows that do not overlap; on bits it is an OR."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bonn_hw.ir.design import Folding
from bonn_hw.ir.rtl import Instance
from bonn_hw.ir.tensor import Integers, TensorType
from bonn_hw.kernels.kernel import Lanewise, Resources, Schedule, check_window, lut_memory


@dataclass(frozen=True, eq=False)
class MaxPool(Lanewise):
    """Maximum over each ``kernel`` (KH, KW) of pixels; rows and columns that are over are dropped.

    Windows that overlap come as sliding windows, seen as a frame of ``OH*OW*KH*KW`` rows of one
    pixel, with a kernel of ``(KH*KW, 1)``.
    """

    stem: ClassVar[str] = "max_pool"

    input: TensorType
    kernel: tuple[int, int]

    def __post_init__(self) -> None:
        check_window(self.input, self.kernel)

    @property
    def inputs(self) -> tuple[TensorType, ...]:
        """The frame."""
        return (self.input,)

    @property
    def outputs(self) -> tuple[TensorType, ...]:
        """One pixel a window."""
        height, width, channels = self.input.shape
        shape = (height // self.kernel[0], width // self.kernel[1], channels)
        return (TensorType(shape, self.input.element),)

    def reference(self, *frames: Integers) -> tuple[Integers, ...]:
        """Pool ``(N, H, W, C)``."""
        (rows, columns, channels), (high, wide) = self.outputs[0].shape, self.kernel
        covered = frames[0][:, : rows * high, : columns * wide]
        windows = covered.reshape(-1, rows, high, columns, wide, channels)
        return (windows.max(axis=(2, 4)),)

    def cycles(self, folding: Folding) -> int:
        """One input beat a cycle."""
        return self.input.size // folding.simd

    def schedule(self, folding: Folding) -> Schedule:
        """A step per input beat; the last pixel of a window gives the output."""
        height, width, channels = self.input.shape
        (rows, columns, _), (high, wide) = self.outputs[0].shape, self.kernel
        gives = np.zeros((height, width, channels // folding.simd), np.bool_)
        gives[high - 1 : rows * high : high, wide - 1 : columns * wide : wide] = True
        taken = np.arange(1, gives.size + 1, dtype=np.int64)
        return Schedule(taken, taken, gives.reshape(-1), latency=1)

    def resources(self, folding: Folding) -> Resources:
        """The running maxima of a row of windows, the comparison, counters, the output register."""
        _, columns, channels = self.outputs[0].shape
        data = folding.pe * self.input.element.bits
        maxima = lut_memory(columns * channels // folding.pe, data)
        counters = sum(extent.bit_length() for extent in (*self.input.shape, *self.kernel))
        compare = data if self.input.element.bits == 1 else 1.5 * data
        return Resources(lut=maxima + compare + 1.5 * counters, ff=data + counters + 1)

    def rtl(self, folding: Folding) -> Instance:
        """``max_pool.sv``."""
        height, width, channels = self.input.shape
        return Instance(
            "max_pool",
            {
                "LANES": folding.pe,
                "BITS": self.input.element.bits,
                "IS_SIGNED": int(self.input.element.signed),
                "H": height,
                "W": width,
                "FOLDS": channels // folding.pe,
                "KH": self.kernel[0],
                "KW": self.kernel[1],
            },
        )
