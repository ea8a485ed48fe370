# SPDX-License-Identifier: BSD-3-Clause
"""How close the chosen foldings are to the optimum, as far as it is proved."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LeastCost:
    """Foldings of least cost that reach a frame rate.

    Attributes
    ----------
    cost : float
        Cost of the design, FIFOs included, in LUT, at the prices of `passes.prices`.
    least_cost_without_fifos : float
        Lower bound: no foldings that reach the rate cost less, FIFOs not counted.
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
        What limits the rate.
    proved : bool
        Whether it is proved that no other foldings reach a higher rate.
    most_frames_per_second_without_fifos : float
        The highest rate that would fit if FIFOs needed no resources.
    """

    cost: float
    limit: str
    proved: bool
    most_frames_per_second_without_fifos: float


Optimum = LeastCost | HighestRate
