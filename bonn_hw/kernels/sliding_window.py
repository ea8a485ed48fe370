# SPDX-License-Identifier: BSD-3-Clause
"""Sliding window: the receptive field of every output pixel, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bonn_hw.ir.design import Folding
from bonn_hw.ir.rtl import Instance
from bonn_hw.ir.tensor import Integers, TensorType
from bonn_hw.kernels.kernel import (
    Lanewise,
    Resources,
    Schedule,
    check_window,
    lut_memory,
    memory,
    power_of_two,
)


@dataclass(frozen=True, eq=False)
class SlidingWindow(Lanewise):
    """Windows of ``kernel`` (KH, KW) at ``stride`` (SY, SX) that lie wholly inside the frame.

    Gives ``(OH, OW, KH*KW*C)``, taps in the order ky, kx, channel.
    """

    stem: ClassVar[str] = "sliding_window"

    input: TensorType
    kernel: tuple[int, int]
    stride: tuple[int, int]

    def __post_init__(self) -> None:
        check_window(self.input, self.kernel)
        if min(self.stride) < 1:
            raise ValueError(f"stride must be positive, not {self.stride}")

    @property
    def inputs(self) -> tuple[TensorType, ...]:
        """The frame."""
        return (self.input,)

    @property
    def outputs(self) -> tuple[TensorType, ...]:
        """One window an output pixel."""
        height, width, channels = self.input.shape
        (high, wide), (down, right) = self.kernel, self.stride
        shape = ((height - high) // down + 1, (width - wide) // right + 1, high * wide * channels)
        return (TensorType(shape, self.input.element),)

    def reference(self, *frames: Integers) -> tuple[Integers, ...]:
        """Gather the windows of ``(N, H, W, C)``."""
        (rows, columns, size), (high, wide) = self.outputs[0].shape, self.kernel
        (down, right), channels = self.stride, self.input.shape[2]
        result = np.empty((len(frames[0]), rows, columns, high, wide, channels), frames[0].dtype)
        for ky in range(high):
            for kx in range(wide):
                tap = frames[0][:, ky : ky + rows * down : down, kx : kx + columns * right : right]
                result[:, :, :, ky, kx] = tap[:, :rows, :columns]
        return (result.reshape(-1, rows, columns, size),)

    def cycles(self, folding: Folding) -> int:
        """One beat a cycle on the side that has more of them: the buffer is deep enough for it."""
        return max(self.input.size, self.outputs[0].size) // folding.simd

    def depth(self, folding: Folding) -> int:
        """Beats of the line buffer: a power of two, so that its addresses wrap by themselves."""
        shape = (self.input.shape, self.kernel, self.stride)
        return power_of_two(_full_rate_beats(*shape, folding.simd))

    def schedule(self, folding: Folding) -> Schedule:
        """A step per output beat; a beat is given back when no later window covers it."""
        need, release = _steps(self, folding.simd)
        emits = np.ones(need.size, np.bool_)
        return Schedule(need, release, emits, 1, self.depth(folding))

    def resources(self, folding: Folding) -> Resources:
        """The line buffer and its counters."""
        depth, width = self.depth(folding), folding.simd * self.input.element.bits
        pointer = self.input.size.bit_length() + 1
        control = Resources(lut=6 * pointer, ff=5 * pointer)
        return control + memory(depth, width, lut_memory(depth, width)) + Resources(ff=width)

    def rtl(self, folding: Folding) -> Instance:
        """``sliding_window.sv``."""
        height, width, channels = self.input.shape
        return Instance(
            "sliding_window",
            {
                "LANES": folding.simd,
                "BITS": self.input.element.bits,
                "H": height,
                "W": width,
                "FOLDS": channels // folding.simd,
                "KH": self.kernel[0],
                "KW": self.kernel[1],
                "SY": self.stride[0],
                "SX": self.stride[1],
                "DEPTH": self.depth(folding),
            },
        )


@lru_cache(maxsize=256)
def _steps_of(
    shape: tuple[int, int, int], kernel: tuple[int, int], stride: tuple[int, int], lanes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    height, width, channels = shape
    folds = channels // lanes
    rows = (height - kernel[0]) // stride[0] + 1
    columns = (width - kernel[1]) // stride[1] + 1
    # Position in the frame, in beats, of each window's first beat and of each tap after it.
    corner = np.add.outer(np.arange(rows) * stride[0] * width, np.arange(columns) * stride[1])
    tap = np.add.outer(np.arange(kernel[0]) * width, np.arange(kernel[1]))
    offset = np.add.outer(tap.reshape(-1) * folds, np.arange(folds)).reshape(-1)
    first = corner.reshape(-1) * folds
    need = np.add.outer(first, offset + 1)
    # With a window's last step everything before the next window's corner is given back.
    release = np.repeat(first[:, None], offset.size, axis=1)
    release[:, -1] = np.append(first[1:], height * width * folds)
    return need.reshape(-1).astype(np.int64), release.reshape(-1).astype(np.int64)


def _steps(kernel: SlidingWindow, lanes: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return _steps_of(kernel.input.shape, kernel.kernel, kernel.stride, lanes)


@lru_cache(maxsize=4096)
def _full_rate_beats(
    shape: tuple[int, int, int], kernel: tuple[int, int], stride: tuple[int, int], lanes: int
) -> int:
    """Beats that must be held so that neither side ever waits more than its own rate asks.

    The side with more beats moves one every cycle. If that is the output, input beats arrive as
    late as their deadlines allow (any earlier schedule needs no more room, since an early beat
    only waits where there is room); if it is the input, output beats leave as early as they can.
    Two frames in a row are looked at, because the next frame's first rows come in while the last
    windows are still read.
    """
    need, release = _steps_of(shape, kernel, stride, lanes)
    taken, given = int(release[-1]), need.size
    period = max(taken, given)
    # Two frames, beat and step numbers running on.
    need = np.concatenate([need, need + taken])
    release = np.concatenate([release, release + taken])
    beat = np.arange(2 * taken)
    if given >= taken:
        step_cycle = np.arange(2 * given)
        # First step that needs a beat; beats that none needs are due when a later one is.
        first_use = np.searchsorted(np.maximum.accumulate(need), beat + 1)
        due = np.append(step_cycle, 2 * period)[first_use] - 1  # used a cycle after it was taken
        arrival = np.minimum.accumulate((due - beat)[::-1])[::-1] + beat
    else:
        arrival = beat
        ready = np.maximum.accumulate(need)
        order = np.arange(2 * given)
        step_cycle = np.maximum.accumulate(ready - order) + order
    # Steps before the cycle in which a beat arrives have made room for it.
    steps_done = np.searchsorted(step_cycle, arrival - 1, side="right")
    released = np.concatenate([[0], release])[steps_done]
    return max(2, int((beat + 1 - released).max()))
