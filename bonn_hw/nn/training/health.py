# SPDX-License-Identifier: BSD-3-Clause
"""The health of BONN's layers during a training: what leaves its range is said early."""

from __future__ import annotations

from bonn_hw.nn.training.kernel_statistics import EpochStatistics, LayerStatistics

LARGEST_GROWTH = 8.0
"""Largest change of mean(w), up or down, as a factor of its start."""
FEWEST_INSIDE = 0.5
"""Smallest share of X in the window |w X| <= 1, outside which X gets no gradient."""
MOST_FLIPS = 0.4
"""Largest share of signs that change in an epoch after the first; half of them change if signs are
drawn anew."""
WEAKEST_PULL = 1e-4
"""Smallest pull of the prior per step that matters, about a fifth of a usual weight decay."""


def complaints(start: EpochStatistics, now: EpochStatistics) -> dict[str, str]:
    """What is wrong after an epoch, by kind: one sentence for all layers that it concerns.

    Parameters
    ----------
    start, now
        The statistics before the training and after an epoch.
    """
    found: dict[str, list[str]] = {}
    for name, layer in now["layers"].items():
        for kind, figure in _of_layer(start["layers"][name], layer, now["epoch"]).items():
            found.setdefault(kind, []).append(f"{name} {figure}")
    return {kind: f"{', '.join(layers)}: {_ADVICE[kind]}" for kind, layers in found.items()}


_ADVICE = {
    "growth": 'mean(w) left the range of its start; use [bayesian] modulation = "held" where a '
    "batch norm follows, else a lower modulation_lr",
    "window": "less than half of X is in the window |w X| <= 1, outside of which it gets no "
    "gradient; use a lower lr",
    "flips": "signs change as often as if they were drawn anew; use a lower lr",
    "pull": "the prior's pull λν/σ² is too weak to matter; give [bayesian] start = 0.01",
}


def _of_layer(start: LayerStatistics, now: LayerStatistics, epoch: int) -> dict[str, str]:
    found = {}
    if "scale" in start and "scale" in now:
        growth = now["scale"] / start["scale"]
        if not 1 / LARGEST_GROWTH <= growth <= LARGEST_GROWTH:
            found["growth"] = f"{growth:.3g} times"
    if now.get("inside", 1.0) < FEWEST_INSIDE:
        found["window"] = f"{now['inside']:.0%}"
    if epoch > 1 and now.get("flips", 0.0) > MOST_FLIPS:
        found["flips"] = f"{now['flips']:.0%}"
    if 0 < now.get("pull", 0.0) < WEAKEST_PULL:
        found["pull"] = f"{now['pull']:.1e}"
    return found
