# SPDX-License-Identifier: BSD-3-Clause
"""Fit a kernel to the output of a quantiser for every integer: `requantize` or `multi_threshold`.

`lines` finds the lines of the first; this module chooses the number of segments, and between both.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from bonn_hw.errors import InternalError, UnsupportedModel
from bonn_hw.frontend.exact_sums import LARGEST_SUM
from bonn_hw.frontend.lines import Pieces, Search
from bonn_hw.frontend.staircase import Staircase
from bonn_hw.frontend.staircase_thresholds import multi_threshold
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.tensor import Element, TensorType
from bonn_hw.kernels.multi_threshold import MOST_BITS, MultiThreshold
from bonn_hw.kernels.requantize import FEW, Requantize

Quantiser = Requantize | MultiThreshold

LARGEST_TABLE = 1 << 22  # bits
LUT_PER_BRAM36, LUT_PER_DSP = 380, 240  # ratios on a Zynq 7020
BITS_PER_LUT = 64  # of a memory of LUTs; block memories cost more


def fit_holding_zero(stairs: Staircase, kind: TensorType, source: str) -> Quantiser:
    """What `fit` finds for the range of the outputs, which holds zero, as pads need it.

    Zero is no output where, for example, all thresholds of a file are low; it costs no bit. Only
    where lines depend on the clipping at the lowest output, the range may lack it.
    """
    low, high = int(stairs.value.min()), int(stairs.value.max())
    if low > 0 or high < 0:
        with suppress(UnsupportedModel):
            return fit(stairs, kind, Element(min(0, low), max(0, high)), source)
    return fit(stairs, kind, Element(low, high), source)


def fit(stairs: Staircase, kind: TensorType, element: Element, source: str) -> Quantiser:
    """Find the cheapest kernel that computes exactly these outputs: lines, or thresholds.

    The lines are the same for all channels, or separate per channel; a staircase of one channel
    stands for all. Fewer segments need less memory. Often one segment is enough, but float32
    rounding may move single steps of a batch norm by one integer, so that no single line fits.
    Thresholds fit wherever a channel rises or falls only.

    Parameters
    ----------
    kind : TensorType
        Type of the input.
    element : Element
        Range of the outputs, to which the kernel clips.
    source : str
        Name of the layer, for messages.

    Raises
    ------
    UnsupportedModel
        If even a lookup table would be too large for a device.
    """
    best: tuple[float, Quantiser] | None = None
    thresholds = multi_threshold(stairs, kind, element)
    if thresholds is not None and thresholds.storage <= LARGEST_TABLE:
        best = _cost(thresholds), thresholds
    lines: Requantize | None = None
    bits = kind.element.bits
    for alike in (True, False) if len(stairs.low) == kind.shape[2] else (True,):
        rows = 1 if alike else kind.shape[2]
        hard: dict[bool, int] = {}  # a channel that had no lines with fewer segments
        for segment_bits in range(bits + 1):
            memory = (rows << segment_bits) * 2  # each line has at least two bits
            if memory > LARGEST_TABLE or (best and best[0] <= memory / BITS_PER_LUT):
                break
            pieces = Pieces.of(stairs, kind.element, segment_bits, alike)
            if pieces is None:
                break  # channels differ
            if best and best[0] <= pieces.fewest_bits / BITS_PER_LUT:
                break  # and more segments have more lines
            smallest: int | None = None  # table of this number of segments
            for ties_even in (False, True):
                if ties_even in hard:
                    one = Pieces.of(stairs.only(hard[ties_even]), kind.element, segment_bits, alike)
                    if one and Search(one, element, ties_even).row_without_line() is not None:
                        continue
                search = Search(pieces, element, ties_even)
                row = search.row_without_line()
                if row is not None:
                    hard |= {} if alike else {ties_even: row}
                    continue
                kernel = search.kernel(kind)
                smallest = min(kernel.storage, smallest or kernel.storage)
                if lines is None or _cost(kernel) < _cost(lines):
                    lines = kernel
                if kernel.storage <= LARGEST_TABLE and (best is None or _cost(kernel) < best[0]):
                    best = (_cost(kernel), kernel)
            # More segments can only save the multiplier.
            spared = best is not None and lines is not None and best[0] < _cost(lines) - LUT_PER_DSP
            if lines and (lines.mask.bit_count() <= FEW or spared):
                break
            # Lines of half as many steps are not expected to have less than half of the bits.
            if best and smallest is not None and best[0] <= smallest / BITS_PER_LUT:
                break
        if lines:
            break
    if best is None:
        raise _too_large(stairs, kind, source)
    chosen = best[1]
    if wrong_channels(stairs, chosen).any():
        raise InternalError(f"{source}: the fitted kernel differs from the quantiser")
    return chosen


def _too_large(stairs: Staircase, kind: TensorType, source: str) -> UnsupportedModel:
    """Describe a quantiser without a kernel, and what would have one."""
    said = f"{source}: its values need more than {LARGEST_TABLE} bits of tables to be quantised"
    if not stairs.monotone:
        return UnsupportedModel(
            f"{said} exactly, because they rise and fall; use an activation that only rises, such "
            "as a ReLU, or inputs and weights of fewer bits"
        )
    bits = MOST_BITS
    while bits > 1 and (kind.shape[2] << bits) * (kind.element.bits + 1) > LARGEST_TABLE:
        bits -= 1
    remedies = f"use a quantiser of at most {bits} bits there"
    if max(-int(stairs.low.min()), int(stairs.high.max())) <= LARGEST_SUM:
        remedies += ", or power-of-two scales, and no norm or bias before it"
    return UnsupportedModel(f"{said} exactly: {remedies}")


def wrong_channels(stairs: Staircase, kernel: Quantiser) -> NDArray[np.bool_]:
    """Channels ``(C,)`` in which a kernel differs from a quantiser.

    A staircase of one channel stands for all. Lines are monotone: the ends of a run show all of it.
    """
    channels = kernel.input.shape[2]
    wrong = np.zeros(channels, np.bool_)
    for channel in range(channels) if len(stairs.low) == 1 and not kernel.alike else (None,):
        place = stairs.channel if channel is None else np.full_like(stairs.channel, channel)
        for x in (stairs.start, stairs.end):
            wrong[place[kernel.apply(x, place) != stairs.value]] = True
    return wrong


def _cost(kernel: Quantiser) -> float:
    used = kernel.resources(Folding(1, 1))
    return used.lut + LUT_PER_BRAM36 * used.bram36 + LUT_PER_DSP * used.dsp
