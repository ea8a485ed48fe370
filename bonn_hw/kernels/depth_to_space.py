# SPDX-License-Identifier: BSD-3-Clause
"""Depth to space: the channels of a pixel become a block of pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.integers import divisors, power_of_two
from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.rtl import Instance
from bonn_hw.ir.schedule import Schedule
from bonn_hw.ir.tensor import Integers, TensorType
from bonn_hw.kernels.cost import counter, lut_memory, memory


@dataclass(frozen=True, eq=False)
class DepthToSpace(Kernel):
    """Frames ``(H, W, SY * SX * C)`` to ``(SY * H, SX * W, C)``.

    A pixel's channels are in the order row, column, channel, as in ONNX's mode DCR. With one row,
    SY = 1, the stream would stay as it is.
    """

    stem: ClassVar[str] = "depth_to_space"

    input: TensorType
    block: tuple[int, int]

    def __post_init__(self) -> None:
        channels, (high, wide) = self.input.shape[2], self.block
        if high < 2 or wide < 1 or channels % (high * wide):
            raise ValueError(
                f"blocks of {high}x{wide} need two rows or more, and {channels} channels that are "
                "a multiple of their pixels"
            )

    @property
    def inputs(self) -> tuple[TensorType, ...]:
        """The frame."""
        return (self.input,)

    @property
    def outputs(self) -> tuple[TensorType, ...]:
        """The larger frame."""
        (height, width, channels), (high, wide) = self.input.shape, self.block
        shape = (height * high, width * wide, channels // (high * wide))
        return (TensorType(shape, self.input.element),)

    def reference(self, *frames: Integers) -> tuple[Integers, ...]:
        """Move channels of ``(N, H, W, SY * SX * C)``."""
        (height, width, _), (high, wide) = self.input.shape, self.block
        blocks = frames[0].reshape(-1, height, width, high, wide, self.outputs[0].shape[2])
        return (blocks.swapaxes(2, 3).reshape(-1, *self.outputs[0].shape),)

    def foldings(self) -> Iterator[Folding]:
        """Every divisor of the output's channels, as lanes of both input and output."""
        for lanes in divisors(self.outputs[0].shape[2]):
            yield Folding(lanes, lanes)

    def cycles(self, folding: Folding) -> int:
        """One beat per cycle: one row of pixels arrives while one is sent."""
        return self.input.size // folding.simd

    def _row(self, folding: Folding) -> int:
        """Beats of a row of input pixels."""
        return self.input.shape[1] * self.input.shape[2] // folding.simd

    def schedule(self, folding: Folding) -> Schedule:
        """One step per output beat; all steps of a row wait for it, the last one frees it."""
        row = self._row(folding)
        need, release = np.full(row, row, np.int64), np.zeros(row, np.int64)
        release[-1] = row
        emit = np.ones(row, np.bool_)
        return Schedule(need, release, emit, 1, capacity=2 * row, repeats=self.input.shape[0])

    def _pages(self, folding: Folding) -> tuple[Resources, bool]:
        """Two pages, and whether they are in block memory."""
        depth = 2 * power_of_two(self._row(folding))
        width = folding.pe * self.input.element.bits
        banks = -(-depth // 64)
        multiplexer = 0.0 if banks == 1 else 3 + banks / 2 + width * banks / 4
        use = memory(depth, width, lut_memory(depth, width) + multiplexer)
        return (use, True) if use.bram36 else (use + Resources(ff=width), False)

    def resources(self, folding: Folding) -> Resources:
        """The pages, their addresses and flags, and the counters of the steps."""
        pages, _ = self._pages(folding)
        row = self._row(folding)
        address = (row - 1).bit_length()
        states = (row, self._folds(folding), self.input.shape[1], self.block[0])
        control = Resources(lut=1.5 * address + 6, ff=address + 5)
        return sum(map(counter, states), pages + control)

    def _folds(self, folding: Folding) -> int:
        """Beats of a pixel's part in one output row."""
        return self.block[1] * self.outputs[0].shape[2] // folding.simd

    def rtl(self, folding: Folding) -> Instance:
        """``depth_to_space.sv``."""
        return Instance(
            "depth_to_space",
            {
                "LANES": folding.pe,
                "BITS": self.input.element.bits,
                "W": self.input.shape[1],
                "FOLDS": self._folds(folding),
                "SY": self.block[0],
                "STYLE": int(self._pages(folding)[1]),
            },
            sources=("cells/counter.sv",),
        )
