# SPDX-License-Identifier: BSD-3-Clause
"""How good chosen foldings are: what a plan proves of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LeastCost:
    """Foldings of least cost that reach a rate.

    Attributes
    ----------
    cost : float
        Of the design, FIFOs included: LUT, plus BRAM36 at the rate at which the board has both.
    least_cost_without_fifos : float
        No foldings that reach the rate cost less, FIFOs not counted.
    """

    cost: float
    least_cost_without_fifos: float


@dataclass(frozen=True, kw_only=True)
class HighestRate:
    """Foldings of the highest frame rate that fit a board.

    Attributes
    ----------
    cost : float
        As in `LeastCost`.
    limit : str
        What is in the way of a higher rate.
    proved : bool
        Whether it is proved that no other foldings reach more.
    most_frames_per_second_without_fifos : float
        The rate that would fit if FIFOs took nothing.
    """

    cost: float
    limit: str
    proved: bool
    most_frames_per_second_without_fifos: float


Optimum = LeastCost | HighestRate
