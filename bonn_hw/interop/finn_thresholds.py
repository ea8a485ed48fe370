# SPDX-License-Identifier: BSD-3-Clause
"""Our quantisers of several bits as thresholds, as FINN's Thresholding has them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bonn_hw.frontend.requantization import Quantiser
from bonn_hw.interop.finn_writing import unsupported
from bonn_hw.ir.design import Stage
from bonn_hw.kernels.mvu import Mvu

EVALUATED = 1 << 26  # values of a quantiser, over all channels


def reachable(
    kernel: Quantiser, before: Stage | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The smallest and the largest input of each channel, ``(C,)``: only they have meaning."""
    element, channels = kernel.input.element, kernel.input.shape[2]
    low, high = np.full(channels, element.low), np.full(channels, element.high)
    unit = None if before is None else before.node.kernel
    if not isinstance(unit, Mvu) or unit.offsets is None:
        return low, high
    least, most = unit.element.low, unit.element.high
    if unit.classes > 1:
        least, most = min(least, 0), max(most, 0)
    weights = unit.weights.astype(np.int64)
    up, down = np.maximum(weights, 0).sum(axis=1), np.minimum(weights, 0).sum(axis=1)
    offsets = unit.offsets if unit.classes == 1 else np.zeros((1, channels), np.int64)
    low = np.maximum(low, up * least + down * most + offsets.min(axis=0))
    high = np.minimum(high, up * most + down * least + offsets.max(axis=0))
    return low, high


def _inputs(
    stage: Stage, kernel: Quantiser, reach: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> list[NDArray[np.int64]]:
    """The inputs of each channel, ascending."""
    step = 1 + kernel.input.element.bipolar
    evaluations = int((reach[1] - reach[0] + 1).sum())
    if evaluations > EVALUATED:
        raise unsupported(
            stage,
            f"its thresholds need {evaluations} evaluations, at most {EVALUATED} are made",
        )
    return [
        np.arange(low, high + 1, step, dtype=np.int64) for low, high in zip(*reach, strict=True)
    ]


def falling(stage: Stage, kernel: Quantiser, before: Stage) -> NDArray[np.bool_]:
    """The channels of a requantiser whose outputs fall with its inputs, ``(C,)``."""
    falls = []
    for channel, domain in enumerate(_inputs(stage, kernel, reachable(kernel, before))):
        first, last = kernel.apply(domain[[0, -1]], np.full(2, channel))
        falls.append(last < first)
    return np.array(falls)


def limits_of(
    stage: Stage,
    kernel: Quantiser,
    reach: tuple[NDArray[np.int64], NDArray[np.int64]],
    reverse: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """The first input at each step of every channel, ``(C, steps)``.

    Inputs ascend, or descend where ``reverse`` is set; a step that is never reached has the value
    behind the last.
    """
    levels = np.arange(kernel.element.low + 1, kernel.element.high + 1)
    limits = np.empty((kernel.input.shape[2], levels.size), np.int64)
    falls = np.broadcast_to(reverse, len(limits))
    for channel, ascending in enumerate(_inputs(stage, kernel, reach)):
        domain = ascending[::-1] if falls[channel] else ascending
        values = kernel.apply(domain, np.full(domain.shape, channel))
        if (np.diff(values) < 0).any():
            raise unsupported(
                stage, f"channel {channel} falls somewhere, which FINN's thresholds cannot express"
            )
        behind = domain[-1] + (-1 if falls[channel] else 1)
        limits[channel] = np.append(domain, behind)[np.searchsorted(values, levels)]
    return limits
