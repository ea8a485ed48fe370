# SPDX-License-Identifier: BSD-3-Clause
"""Max pool over windows that do not overlap; on bits the maximum is an OR."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.integers import power_of_two
from bonn_hw.ir.kernel import Elementwise, check_window
from bonn_hw.ir.operation import Maximum
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.rtl import Bits, Instance
from bonn_hw.ir.schedule import Schedule
from bonn_hw.ir.tensor import Integers, TensorType
from bonn_hw.kernels.cost import counter, single_port

WINDOW_COUNTER = ("cells/counter.sv", "cells/window_counter.sv")


@dataclass(frozen=True, eq=False)
class Pool(Elementwise):
    """One value per window of ``kernel`` (KH, KW) pixels; incomplete windows are dropped.

    Windows that overlap need a sliding window before the pool. Its output is seen as a frame of
    ``OH*OW*KH*KW`` rows of one pixel, and pooled with a kernel of ``(KH*KW, 1)``.
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
        """Shape of the output: one pixel per window."""
        height, width, channels = self.input.shape
        return (height // self.kernel[0], width // self.kernel[1], channels)

    def windows(self, frames: Integers) -> Integers:
        """Frames ``(N, H, W, C)`` as windows ``(N, OH, KH, OW, KW, C)``."""
        (rows, columns, channels), (high, wide) = self.pooled, self.kernel
        covered = frames[:, : rows * high, : columns * wide]
        return covered.reshape(-1, rows, high, columns, wide, channels)

    def cycles(self, folding: Folding) -> int:
        """One input beat per cycle."""
        return self.input.size // folding.simd

    def schedule(self, folding: Folding) -> Schedule:
        """One step per input beat; the last pixel of a window sends the output."""
        height, width, channels = self.input.shape
        (rows, columns, _), (high, wide) = self.pooled, self.kernel
        emit = np.zeros((height, width, channels // folding.simd), np.bool_)
        emit[high - 1 : rows * high : high, wide - 1 : columns * wide : wide] = True
        beats = np.arange(1, emit.size + 1, dtype=np.int64)
        return Schedule(beats, beats, emit.reshape(-1), latency=1)

    def depth(self, folding: Folding) -> int:
        """Words of the memory of running values; channel folds are rounded up to a power of two."""
        folds = self.input.shape[2] // folding.pe
        return (self.pooled[1] - 1) * power_of_two(folds) + folds

    def running(self, folding: Folding, width: int) -> Resources:
        """The memory of running values for a row of windows: single-port LUT memory, or a register.

        A single word is kept in the output register, unless pixels at the border are dropped.
        """
        depth, (high, wide) = self.depth(folding), self.kernel
        if depth == 1:
            dropped = self.input.shape[0] % high or self.input.shape[1] % wide
            return Resources(ff=width if dropped else 0)
        return Resources(lut=single_port(depth, width))

    def counters(self, folding: Folding) -> Resources:
        """The counters of ``window_counter.sv``, their carries, and the first and last flags."""
        (height, width, channels), (high, wide) = self.input.shape, self.kernel
        rows = -(-height // high) if height % high else 1
        extents = (channels // folding.pe, wide, -(-width // wide), high, rows)
        moving = [extent for extent in extents if extent > 1]
        first = int(high * wide > 1)
        return sum(map(counter, moving), Resources(lut=len(moving) + first, ff=first))

    def extents(self, folding: Folding) -> dict[str, int | Bits]:
        """Parameters of ``window_counter.sv``."""
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
        """One pixel per window."""
        return (TensorType(self.pooled, self.input.element),)

    def reference(self, *frames: Integers) -> tuple[Integers, ...]:
        """Pool ``(N, H, W, C)``."""
        return (self.windows(frames[0]).max(axis=(2, 4)),)

    def operation(self) -> Maximum:
        """The maximum of each window."""
        return Maximum(self.kernel)

    def resources(self, folding: Folding) -> Resources:
        """Running maxima of a row of windows, comparators, counters and the output register."""
        data = folding.pe * self.input.element.bits
        output = Resources(lut=2, ff=data + 1)
        if self.kernel == (1, 1):
            return output
        larger = Resources(lut=folding.pe * self._larger(folding))
        return output + larger + self.running(folding, data) + self.counters(folding)

    def _larger(self, folding: Folding) -> float:
        """LUT that compute the larger of two numbers.

        Up to two bits, one LUT computes two output bits; up to four bits it is a small tree of LUT
        (measured). Wider comparisons use a carry chain: three bits of both numbers need two LUT. A
        single register needs no multiplexer: it is loaded only with a larger value.
        """
        bits, multiplexer = self.input.element.bits, self.depth(folding) > 1
        if bits <= 2:
            return bits / 2 if multiplexer else bits
        if bits <= 4:
            return bits * (1.58 if multiplexer else 1)
        return 2 * (bits // 3) + (bits % 3 > 0) + (bits / 2 if multiplexer else 0)

    def rtl(self, folding: Folding) -> Instance:
        """``max_pool.sv``."""
        parameters = {
            "LANES": folding.pe,
            "BITS": self.input.element.bits,
            "IS_SIGNED": int(self.input.element.signed),
            **self.extents(folding),
        }
        return Instance("max_pool", parameters, sources=WINDOW_COUNTER)
