# SPDX-License-Identifier: BSD-3-Clause
"""Statistics of a 1-bit layer's latent weights: one mode around 0, or two at ±mean |X|."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from bonn_hw.errors import UserError

KERNELS = "kernels.json"
"""The file of a run folder that holds the statistics of each layer, by epoch."""
BINS = 64
"""Bins of a histogram; even, so that 0 is the border between the two signs."""
QUANTILE = 0.999
MARGIN = 1.25
"""Limit of the histogram in units of the quantile: weights at ±a then lie well inside."""
WINDOW = 0.25
"""Half width, in units of mean |X|, of the intervals in which `_valley` counts weights."""


class LayerStatistics(TypedDict):
    """Statistics of one layer's latent weights X, as `KERNELS` holds them.

    Attributes
    ----------
    limit
        L: the histogram covers -L to L, L = 1.25 times the 99.9 % quantile of |X|.
    counts
        Weights in each of 64 equal bins; those beyond ±L are counted in the end bins.
    mean_abs, deviation
        Mean and standard deviation of |X|.
    bimodality
        Sarle's coefficient, (skewness² + 1) / kurtosis: 1/3 for a normal distribution, 5/9 for a
        uniform one, 1 for two points. None where all weights are equal.
    valley
        Density around 0, divided by the mean density around -mean |X| and mean |X|: 1 or more with
        one mode, towards 0 with two. None where all weights are equal, or none is near ±mean |X|.
    scale
        mean(w); only for layers with the learnt modulation w.
    inside
        Share of X in the window |w X| <= 1, outside of which it gets no gradient; only for layers
        with w.
    pull
        The prior's pull per training step, lambda * nu / sigma^2; only for layers with the kernel
        loss.
    flips
        Share of the signs that differ from those before the epoch; not before the first one.
    """

    limit: float
    counts: list[int]
    mean_abs: float
    deviation: float
    bimodality: float | None
    valley: float | None
    scale: NotRequired[float]
    inside: NotRequired[float]
    pull: NotRequired[float]
    flips: NotRequired[float]


class EpochStatistics(TypedDict):
    """The statistics of all 1-bit layers, by name, after `epoch` epochs."""

    epoch: int
    layers: dict[str, LayerStatistics]


def kernel_statistics(weights: NDArray[Any]) -> LayerStatistics:
    """Statistics of one layer's latent weights, ready for JSON.

    Parameters
    ----------
    weights
        Latent weights X, float ``(C_out, ...)``, finite.

    Raises
    ------
    UserError
        If a weight is not finite, or there are no weights.
    """
    x = np.asarray(weights, np.float64).ravel()
    wrong = int(np.sum(~np.isfinite(x)))
    if wrong or not x.size:
        raise UserError(
            f"weights: {wrong} of {x.size} are not finite; a layer must have weights and all must "
            "be finite: train again, into a new folder, with a lower lr"
        )
    # In units of the largest weight, so that fourth powers neither overflow nor underflow.
    unit = float(np.abs(x).max())
    x = x / (unit or 1.0)
    magnitude = np.abs(x)
    limit = MARGIN * float(np.quantile(magnitude, QUANTILE))
    if not limit:
        # Fewer than one weight in a thousand differs from 0: a histogram needs some width.
        limit = float(magnitude.max())
    counts, _ = np.histogram(np.clip(x, -limit, limit), BINS, (-limit, limit) if limit else (-1, 1))
    return {
        "limit": limit * unit,
        "counts": counts.tolist(),
        "mean_abs": float(magnitude.mean()) * unit,
        "deviation": float(magnitude.std()) * unit,
        "bimodality": _bimodality(x),
        "valley": _valley(x),
    }


def _bimodality(x: NDArray[np.float64]) -> float | None:
    centred = x - x.mean()
    deviation = np.sqrt(np.mean(centred**2))
    # The mean of equal numbers may be rounded, so their deviation need not be exactly 0.
    if x.min() == x.max() or not deviation:
        return None
    z = centred / deviation
    return float((np.mean(z**3) ** 2 + 1) / np.mean(z**4))


def _valley(x: NDArray[np.float64]) -> float | None:
    if x.min() == x.max():
        return None
    relative = np.abs(x) / np.abs(x).mean()
    near_zero = int(np.sum(relative < WINDOW))
    near_modes = int(np.sum(np.abs(relative - 1) < WINDOW))
    # One interval around 0, but two around the modes.
    return 2 * near_zero / near_modes if near_modes else None
