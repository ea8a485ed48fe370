# SPDX-License-Identifier: BSD-3-Clause
"""The result of a search as values: the points of the front, and the figures of the search."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from bonn_hw.explore.rows import Counts, HardwareRow
from bonn_hw.explore.space import Candidate, Space
from bonn_hw.explore.zoo_points import ZooPoint


@dataclass(frozen=True)
class Point:
    """A point of the front.

    Attributes
    ----------
    number
        Of its trial.
    accuracies
        On held-out images, of trainings with different seeds; of one if it was trained once.
    hardware
        Predicted, FIFOs included.
    """

    number: int
    candidate: Candidate
    hardware: HardwareRow
    accuracies: tuple[float, ...]

    @property
    def accuracy(self) -> float:
        """Their mean."""
        return statistics.fmean(self.accuracies)

    @property
    def spread(self) -> float | None:
        """Their standard deviation; None of one training."""
        return statistics.stdev(self.accuracies) if len(self.accuracies) > 1 else None

    @property
    def cost(self) -> float:
        """In LUT."""
        return self.hardware.cost


@dataclass(frozen=True)
class Result:
    """The front of a space, the cheapest point first, and the figures of the search.

    `zoo` has the zoo's networks of the same data, for comparison.
    """

    space: Space
    points: tuple[Point, ...]
    hypervolume: float
    counts: Counts
    hours: float
    importance: Mapping[str, float]
    zoo: tuple[ZooPoint, ...] = ()
