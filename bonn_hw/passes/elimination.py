# SPDX-License-Identifier: BSD-3-Clause
"""Minimise a sum of functions of few variables each, exactly, by eliminating the variables.

Bucket elimination (Dechter, Artificial Intelligence 113, 1999): all functions that a variable
occurs in are added up and replaced by their minimum over it. That loses nothing, because no other
function depends on the variable: what is best for it depends on these few neighbours alone.

Time and memory are exponential in the number of neighbours, so a variable with the fewest goes
first. Graphs made of series and parallel parts, like residual networks, always have one with at
most two, also after it is gone: no table has more than three axes, of some 20 values each.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

Variable = Hashable


@dataclass(frozen=True, eq=False)
class Factor:
    """A function of variables: ``costs`` has an axis for each, whose index is its value."""

    variables: tuple[Variable, ...]
    costs: NDArray[np.float64]

    def over(self, variables: tuple[Variable, ...]) -> NDArray[np.float64]:
        """The costs with an axis for each of ``variables``; extent 1 where it does not matter."""
        axes = [self.variables.index(name) for name in variables if name in self.variables]
        extents = iter(self.costs.transpose(axes).shape)
        shape = [next(extents) if name in self.variables else 1 for name in variables]
        return self.costs.transpose(axes).reshape(shape)


def minimise(factors: Iterable[Factor]) -> tuple[float, dict[Variable, int]]:
    """Find values of all variables with the smallest sum of costs.

    Of equal ones those with smaller values are preferred. Infinite costs forbid; where everything
    is forbidden the cost is infinite.

    Returns
    -------
    cost : float
    values : index by variable
    """
    total = 0.0
    buckets: dict[Variable, list[Factor]] = {}
    for factor in factors:
        for name in factor.variables:
            buckets.setdefault(name, []).append(factor)
        if not factor.variables:
            total += float(factor.costs)
    tables = {name: _table(bucket) for name, bucket in buckets.items()}
    order: list[tuple[Variable, Factor]] = []
    while tables:
        variable = min(tables, key=tables.__getitem__)  # the first of equal ones
        del tables[variable]
        bucket = buckets.pop(variable)
        names = dict.fromkeys(name for factor in bucket for name in factor.variables)
        others = tuple(name for name in names if name != variable)
        joint = sum((factor.over((variable, *others)) for factor in bucket), np.zeros(()))
        order.append((variable, Factor((variable, *others), joint)))
        least = Factor(others, joint.min(axis=0))
        for name in others:
            buckets[name] = [f for f in buckets[name] if variable not in f.variables] + [least]
            tables[name] = _table(buckets[name])
        if not others:
            total += float(least.costs)
    values: dict[Variable, int] = {}
    for variable, factor in reversed(order):
        costs = factor.costs
        for name in factor.variables[1:]:
            costs = costs[:, values[name]]
        values[variable] = int(costs.argmin())
    return total, values


def _table(bucket: list[Factor]) -> tuple[int, int]:
    """Axes and size of the sum of factors."""
    extents: dict[Variable, int] = {}
    for factor in bucket:
        extents.update(zip(factor.variables, factor.costs.shape, strict=True))
    return len(extents), prod(extents.values())
