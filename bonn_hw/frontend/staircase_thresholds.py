# SPDX-License-Identifier: BSD-3-Clause
"""The kernel `multi_threshold` for the output of a quantiser, where every channel is monotone."""

from __future__ import annotations

import numpy as np

from bonn_hw.frontend.staircase import Staircase
from bonn_hw.ir.tensor import Element, TensorType
from bonn_hw.kernels.multi_threshold import MOST_BITS, MultiThreshold


def multi_threshold(stairs: Staircase, kind: TensorType, element: Element) -> MultiThreshold | None:
    """Find the thresholds; None if a channel rises and falls, or the outputs have too many bits.

    A staircase of one channel stands for all.
    """
    if element.bipolar or element.bits > MOST_BITS or kind.element.bipolar:
        return None
    most = (1 << element.bits) - 1
    codes = stairs.value + (1 << element.bits - 1 if element.signed else 0)
    rows = len(stairs.low)
    borders = np.searchsorted(stairs.channel, np.arange(rows + 1))
    thresholds = np.empty((rows, most), np.int64)
    inverted = np.zeros(rows, np.bool_)
    for row in range(rows):
        part = slice(borders[row], borders[row + 1])
        code, start = codes[part], stairs.start[part]
        steps = np.diff(code)
        inverted[row] = (steps < 0).any()
        if inverted[row]:
            if (steps > 0).any():
                return None
            code = most - code
        # Threshold m is where code m begins; of codes that do not come, behind the last integer.
        begins = np.append(start, stairs.high[row] + 1)
        thresholds[row] = begins[np.searchsorted(code, np.arange(1, most + 1))]
    channels = kind.shape[2]
    if rows == 1:
        thresholds, inverted = thresholds.repeat(channels, axis=0), inverted.repeat(channels)
    return MultiThreshold(kind, element, thresholds, inverted)
