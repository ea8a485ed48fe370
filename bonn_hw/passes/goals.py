# SPDX-License-Identifier: BSD-3-Clause
"""What foldings are chosen for: least resources, most frames, all trade-offs between, latency.

Every answer is exact under the resource model for kernels and width converters. FIFOs follow from
the foldings and come on top.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bonn_hw.errors import UserError
from bonn_hw.ir.resources import Resources
from bonn_hw.passes.folding import Choice, Space

NAMES = ("LUT", "FF", "BRAM36", "DSP")
ROUNDS = 40  # of moving weights between resources
STEEPNESS = 4.0  # of moving them
CHEAP, DEAR = -7.0, 3.0  # decimal logarithms of prices of a cycle, in LUT
HALVINGS = 10  # of the range between them


@dataclass(frozen=True)
class TooLarge:
    """Why no foldings of a bound fit: a proof, or nothing found.

    Attributes
    ----------
    needs : float
        Weighted sum of shares of the budget that any design takes at least.
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
    """Find foldings under a bound of cycles that use no more than there is of any resource.

    Weights whose sum over the whole budget is 1 make a proof (Lagrange): what fits costs at most 1,
    so a minimum above 1 means that nothing fits. Weights move to what is used too much of.
    """
    holds = np.maximum(np.array(budget.astuple()), 1e-9)
    shares = np.array([1.0, 1e-3, 1e-2, 1e-2])
    best = TooLarge(0.0, NAMES[0])
    for _ in range(ROUNDS):
        shares /= shares.sum()
        choice = space.cheapest(cycles, shares / holds)
        used = np.array(choice.resources.astuple()) / holds
        if (used <= 1).all():
            return choice
        if choice.cost > best.needs:
            best = TooLarge(choice.cost, NAMES[int(shares.argmax())])
        if best.proved:
            break
        shares *= np.exp(STEEPNESS * np.clip(used - 1, -1, 1))
    return best


@dataclass(frozen=True, eq=False)
class Fastest:
    """The fastest foldings that fit, and why there are no faster ones.

    Attributes
    ----------
    proved : bool
        Whether the next bound was proved too large, or does not exist.
    """

    choice: Choice
    limit: str
    proved: bool


def fastest(space: Space, budget: Resources, weights: NDArray[np.float64]) -> Fastest:
    """Find the smallest bound of cycles that fits a budget; there, the cheapest by ``weights``.

    Raises
    ------
    UserError
        If nothing fits; it says what the smallest design needs.
    """
    bounds = space.bounds
    tried: dict[int, Choice | TooLarge] = {}

    def fits(place: int) -> bool:
        tried[place] = within(space, bounds[place], budget)
        return isinstance(tried[place], Choice)

    place = bisect_left(range(len(bounds)), True, key=fits)
    if place == len(bounds):
        least = space.cheapest(bounds[-1], weights).resources
        over = [
            f"{used:,.0f} {name} of {holds:,.0f}"
            for name, used, holds in zip(NAMES, least.astuple(), budget.astuple(), strict=True)
            if used > holds
        ]
        raise UserError(
            f"folding: even the smallest design does not fit: it needs {' and '.join(over)} that "
            "may be used: choose a larger board"
        )
    found = tried[place]
    assert isinstance(found, Choice)  # noqa: S101  # narrows: the search ends where one fits
    cheapest = space.cheapest(bounds[place], weights)
    if _fits(cheapest.resources, budget):
        found = cheapest
    if place == 0:
        node, cycles = space.slowest
        limit = f"{node.name} ({node.origin}) needs {cycles:,} cycles a frame at full parallelism"
        return Fastest(found, limit, proved=True)
    over_ = tried.get(place - 1) or within(space, bounds[place - 1], budget)
    assert isinstance(over_, TooLarge)  # noqa: S101  # narrows: below, none fits
    limit = f"{over_.scarce}: the next faster design needs more than may be used"
    return Fastest(found, limit, over_.proved)


def _fits(used: Resources, budget: Resources) -> bool:
    return all(u <= b for u, b in zip(used.astuple(), budget.astuple(), strict=True))


def front(space: Space, weights: NDArray[np.float64]) -> Iterator[Choice]:
    """Yield every trade-off of cycles and weighted resources, the slowest first."""
    bounds = space.bounds
    place = len(bounds) - 1
    last: Choice | None = None
    while place >= 0:
        choice = space.cheapest(bounds[place], weights)
        if last is not None and choice.cost > last.cost:
            yield last
        last = choice
        # All bounds down to the one that it keeps have the same optimum.
        place = bisect_left(bounds, choice.cycles) - 1
    if last is not None:
        yield last


def soon(
    space: Space,
    cycles: int,
    weights: NDArray[np.float64],
    latency: Callable[[Choice], int],
    wanted: int,
) -> Choice:
    """Find cheap foldings under a bound of cycles whose latency is small enough.

    Latency is no sum over nodes, but it falls as they finish sooner: each of their cycles gets a
    price, the smallest that will do. So this is exact for the sum and not for the latency, which
    ``latency`` tells for certain.

    Raises
    ------
    UserError
        If the smallest latency that was found is larger; it says which.
    """
    choice = space.cheapest(cycles, weights)
    if latency(choice) <= wanted:
        return choice
    low, high = CHEAP, DEAR
    found = space.cheapest(cycles, weights, 10.0**high)
    least = latency(found)
    if least > wanted:
        raise UserError(
            f"folding: no latency of {wanted:,} cycles was found, the smallest is {least:,}: allow "
            "more, or ask for a faster clock"
        )
    for _ in range(HALVINGS):
        price = (low + high) / 2
        choice = space.cheapest(cycles, weights, 10.0**price)
        if latency(choice) <= wanted:
            found, high = choice, price
        else:
            low = price
    return found
