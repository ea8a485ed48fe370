# SPDX-License-Identifier: BSD-3-Clause
"""What no other candidate beats: the Pareto front of accuracy and cost, and its hypervolume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar


class Measured(Protocol):
    """Anything with an accuracy, the more the better, and a cost, the less the better."""

    @property
    def accuracy(self) -> float:
        """From 0 to 1."""

    @property
    def cost(self) -> float:
        """In LUT."""


Point = TypeVar("Point", bound=Measured)


def pareto(points: Sequence[Point]) -> list[Point]:
    """The points that no other beats in both, the cheapest first; of equal ones the first."""
    front: list[Point] = []
    for one in sorted(points, key=lambda point: (point.cost, -point.accuracy)):
        if not front or one.accuracy > front[-1].accuracy:
            front.append(one)
    return front


def order(points: Sequence[Point]) -> list[Point]:
    """All points: the front, then the front of the others, and so on; in each, by accuracy."""
    left, ordered = list(points), []
    while left:
        front = pareto(left)
        chosen = {id(one) for one in front}
        ordered += sorted(front, key=lambda point: -point.accuracy)
        left = [one for one in left if id(one) not in chosen]
    return ordered


def hypervolume(points: Sequence[Measured], most: float) -> float:
    """The area that a front covers, from 0 to 1.

    Its sides are the accuracy from 0 to 1 and the cost from `most`, the largest allowed, down to 0.
    A candidate of accuracy 0.9 at half of that cost covers 0.45.
    """
    area, best = 0.0, 0.0
    front = [one for one in pareto(list(points)) if one.cost < most]
    for one in front:
        area += (one.accuracy - best) * (1 - one.cost / most)
        best = one.accuracy
    return area
