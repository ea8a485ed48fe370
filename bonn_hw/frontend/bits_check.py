# SPDX-License-Identifier: BSD-3-Clause
"""Whether kernels compute the bits of an activation, for every sum that can occur."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bonn_hw.frontend.pending_ops import PendingOps
from bonn_hw.frontend.staircase import Array, Staircase
from bonn_hw.kernels.mvu import Mvu
from bonn_hw.kernels.threshold import Threshold


@dataclass(frozen=True, eq=False)
class Bits:
    """The bits of an activation for every sum, and which channels fall.

    A kernel with one threshold per channel is monotone, so a run is right if both its ends are.
    """

    pending: PendingOps
    stairs: Staircase
    falling: NDArray[np.bool_]

    @property
    def ends(self) -> tuple[Array, Array]:
        """First and last integer of each run."""
        start = self.stairs.start
        return start, start if self.pending.bipolar else self.stairs.end


def wrong_thresholds(table: Bits, kernel: Threshold) -> NDArray[np.bool_]:
    """Channels ``(C,)`` in which a kernel of thresholds differs from the bits."""
    wrong, channel = np.zeros(table.pending.channels, np.bool_), table.stairs.channel
    for x in table.ends:
        ours = (x >= kernel.thresholds[channel]) != kernel.inverted[channel]
        wrong[channel[ours != (table.stairs.value == 1)]] = True
    return wrong


def wrong_in_unit(table: Bits, corrections: NDArray[np.int64], unit: Mvu) -> NDArray[np.bool_]:
    """Channels ``(C,)`` in which a matrix unit differs from the bits.

    Parameters
    ----------
    corrections : int64 ``(classes, C)``
        The model's sums minus those of the stream, where zeros of padding are streamed as -1.
    """
    wrong, levels = np.zeros(table.pending.channels, np.bool_), unit.thresholds_or_offsets
    channel, on, (start, end) = table.stairs.channel, table.stairs.value == 1, table.ends
    falling = table.falling[channel]
    parity = unit.element.bipolar and bool((np.abs(unit.weights) == 1).all())
    for level, correction in zip(levels, corrections, strict=True):
        first, last = start - correction[channel], end - correction[channel]
        if parity:  # a sum of n values of -1 and +1 has the parity of n
            first = first + (first - unit.weights.shape[1]) % 2
            last = last - (last - unit.weights.shape[1]) % 2
        for streamed in (first, last):
            ours = np.where(falling, -streamed, streamed) >= level[channel]
            wrong[channel[(ours != on) & (first <= last)]] = True
    return wrong
