# SPDX-License-Identifier: BSD-3-Clause
"""Objectives of folding: fewest resources, highest frame rate, the Pareto front, latency.

Every result is exact under the resource model for kernels and width converters. FIFOs follow from
the foldings and are not counted here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bonn_hw.errors import UserError
from bonn_hw.ir.resources import Resources
from bonn_hw.passes.exchange import exchanged
from bonn_hw.passes.folding import Choice, Space

NAMES = ("LUT", "FF", "BRAM36", "DSP")
ROUNDS = 40  # in which weights are moved to the resources that are exceeded
STEEPNESS = 4.0  # of that: a resource used twice over gets a weight e ** 4 times as large
CLOSEST = 4  # designs in which units are exchanged
CHEAP, DEAR = -7.0, 3.0  # decimal logarithm of the lowest and highest price of a cycle, in LUT
HALVINGS = 10  # of the range between them, by bisection


@dataclass(frozen=True)
class TooLarge:
    """No foldings within a bound were found that fit; `proved` says whether none exist.

    Attributes
    ----------
    needs : float
        Lower bound of the weighted share of the budget that any design needs; above 1 none fits.
    scarce : str
        The resource with the largest weight.
    """

    needs: float
    scarce: str

    @property
    def proved(self) -> bool:
        """Whether no foldings can fit."""
        return self.needs > 1


def within(space: Space, cycles: int, budget: Resources) -> Choice | TooLarge:
    """Find foldings within a bound of cycles that exceed no resource of the budget.

    Lagrangian relaxation: weights are chosen such that the whole budget costs 1. Every design that
    fits then costs at most 1, so a minimal cost above 1 proves that none fits. Otherwise weight is
    moved to the resources that the cheapest design exceeds, and the search repeats. If that finds
    none, units of the designs that come closest are exchanged (`exchange`).
    """
    holds = np.maximum(np.array(budget.astuple()), 1e-9)
    shares = np.array([1.0, 1e-3, 1e-2, 1e-2])
    best = TooLarge(0.0, NAMES[0])
    close: list[tuple[float, Choice]] = []
    for _ in range(ROUNDS):
        shares /= shares.sum()
        choice = space.cheapest(cycles, shares / holds)
        used = np.array(choice.resources.astuple()) / holds
        if (used <= 1).all():
            return choice
        if choice.cost > best.needs:
            best = TooLarge(choice.cost, NAMES[int(shares.argmax())])
        if best.proved:
            return best
        close.append((float(used.max()), choice))
        shares *= np.exp(STEEPNESS * np.clip(used - 1, -1, 1))
    for _, choice in sorted(close, key=lambda one: one[0])[:CLOSEST]:
        fitting = exchanged(space, choice, budget, shares / holds)
        if fitting is not None:
            return fitting
    return best


@dataclass(frozen=True, eq=False)
class Fastest:
    """The fastest foldings that fit, and what limits them.

    Attributes
    ----------
    proved : bool
        Whether it is proved that no faster foldings fit.
    """

    choice: Choice
    limit: str
    proved: bool


def fastest(space: Space, budget: Resources, weights: NDArray[np.float64]) -> Fastest:
    """Find the smallest bound of cycles that fits a budget, and the cheapest foldings within it.

    Raises
    ------
    UserError
        If nothing fits; the message says what the smallest design needs.
    """
    bounds = space.bounds
    tried: dict[int, Choice | TooLarge] = {}

    def holds(place: int) -> bool:
        tried[place] = within(space, bounds[place], budget)
        return isinstance(tried[place], Choice)

    place = bisect_left(range(len(bounds)), True, key=holds)
    if place == len(bounds):
        least = space.cheapest(bounds[-1], weights).resources
        over = [
            f"{used:,.0f} {name} (at most {holds:,.0f} may be used)"
            for name, used, holds in zip(NAMES, least.astuple(), budget.astuple(), strict=True)
            if used > holds
        ]
        raise UserError(
            f"folding: even the smallest design does not fit: it needs {' and '.join(over)}: "
            "choose a larger board"
        )
    best = tried[place]
    assert isinstance(best, Choice)  # noqa: S101  # narrows: the search ends where one fits
    cheapest = space.cheapest(bounds[place], weights)
    if fits(cheapest.resources, budget):
        best = cheapest
    if place == 0:
        node, cycles = space.slowest
        limit = f"{node.name} ({node.origin}) needs {cycles:,} cycles per frame at full parallelism"
        return Fastest(best, limit, proved=True)
    faster = tried[place - 1]  # bisection ends between two bounds that it has tried
    assert isinstance(faster, TooLarge)  # noqa: S101  # narrows: no smaller bound fits
    limit = f"{faster.scarce}: the next faster design needs more than may be used"
    return Fastest(best, limit, faster.proved)


def fits(used: Resources, budget: Resources) -> bool:
    """Whether no resource exceeds a budget."""
    return all(u <= b for u, b in zip(used.astuple(), budget.astuple(), strict=True))


def front(space: Space, weights: NDArray[np.float64]) -> Iterator[Choice]:
    """Yield the Pareto front of cycles and weighted resources, the slowest design first."""
    bounds = space.bounds
    place = len(bounds) - 1
    last: Choice | None = None
    while place >= 0:
        choice = space.cheapest(bounds[place], weights)
        if last is not None and choice.cost > last.cost:
            yield last
        last = choice
        # All bounds down to the cycles of this choice have the same optimum.
        place = bisect_left(bounds, choice.cycles) - 1
    if last is not None:
        yield last


def meet_latency(
    space: Space,
    cycles: int,
    weights: NDArray[np.float64],
    latency: Callable[[Choice], int],
    limit: int,
) -> Choice:
    """Find cheap foldings within a bound of cycles whose latency is at most ``limit`` cycles.

    Latency is not a sum over nodes, but it falls when nodes finish sooner. So each cycle of each
    node gets a price, and bisection finds the lowest price that meets the limit. The foldings are
    the cheapest at that price; cheaper ones that meet the limit may exist.

    Parameters
    ----------
    latency : function
        Runs the cycle model on a choice; returns its latency in cycles.
    limit : int

    Raises
    ------
    UserError
        If the smallest latency that was found is larger; the message says how large.
    """
    choice = space.cheapest(cycles, weights)
    if latency(choice) <= limit:
        return choice
    low, high = CHEAP, DEAR
    best = space.cheapest(cycles, weights, 10.0**high)
    least = latency(best)
    if least > limit:
        raise UserError(
            f"folding: no design with a latency of {limit:,} cycles was found; the smallest is "
            f"{least:,} cycles: allow more, or ask for a faster clock"
        )
    for _ in range(HALVINGS):
        price = (low + high) / 2
        choice = space.cheapest(cycles, weights, 10.0**price)
        if latency(choice) <= limit:
            best, high = choice, price
        else:
            low = price
    return best
