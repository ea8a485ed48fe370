# SPDX-License-Identifier: BSD-3-Clause
"""Which points of a kernel every run of the tests simulates; the others are for the night."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

# A parameter with no more values than this is a choice: each value counts, not the ends alone.
FEW = 5


def corners(
    points: Sequence[tuple[Any, ...]], parameters: Callable[..., Mapping[str, Any]]
) -> list[Any]:
    """The points for `parametrize`; those that add no end of a parameter are marked `large`.

    The others have the smallest and the largest value of each parameter of the RTL among them, and
    each value of one that has few. They are as few as taking the best of the rest by turns finds.

    Parameters
    ----------
    parameters : function
        Of a point: the parameters of its RTL by name. Those that are no integers do not count.
    """
    facts = [
        {(name, value) for name, value in parameters(*point).items() if isinstance(value, int)}
        for point in points
    ]
    wanted: set[tuple[str, int]] = set()
    for name in {name for one in facts for name, _ in one}:
        values = sorted({value for one in facts for key, value in one if key == name})
        ends = values if len(values) <= FEW else (values[0], values[-1])
        wanted |= {(name, value) for value in ends}
    chosen = set()
    while wanted:
        best = max(range(len(points)), key=lambda place: len(facts[place] & wanted))
        chosen.add(best)
        wanted -= facts[best]
    return [
        point if place in chosen else pytest.param(*point, marks=pytest.mark.large)
        for place, point in enumerate(points)
    ]
