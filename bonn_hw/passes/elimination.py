# SPDX-License-Identifier: BSD-3-Clause
"""Minimise a sum of functions of few variables each, exactly, by eliminating the variables.

Bucket elimination (Dechter, Artificial Intelligence 113, 1999): take one variable, add up all
functions that depend on it, and replace them by their minimum over it. Nothing is lost, because no
other function depends on the variable: its best value depends on its few neighbours alone.
For example ``f(a, b) + g(b, c)`` becomes ``f(a, b) + min_c g(b, c)``, a function of a and b.

Time and memory are exponential in the number of neighbours, so the variable with the fewest
neighbours is eliminated first. Graphs made of series and parallel parts, such as residual networks,
always have a variable with at most two neighbours, also after one has been eliminated: no table has
more than three axes, of some 20 values each.
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
    """A function of a few variables: ``costs`` has one axis per variable, indexed by its value."""

    variables: tuple[Variable, ...]
    costs: NDArray[np.float64]

    def over(self, variables: tuple[Variable, ...]) -> NDArray[np.float64]:
        """The costs with an axis per variable; extent 1 if they do not depend on it."""
        axes = [self.variables.index(name) for name in variables if name in self.variables]
        extents = iter(self.costs.transpose(axes).shape)
        shape = [next(extents) if name in self.variables else 1 for name in variables]
        return self.costs.transpose(axes).reshape(shape)


def minimise(factors: Iterable[Factor]) -> tuple[float, dict[Variable, int]]:
    """Find values of all variables with the smallest sum of costs.

    Of several minima the one with the smaller values is returned. An infinite cost forbids a
    combination; the result is infinite if all combinations are forbidden.

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
        variable = min(tables, key=tables.__getitem__)  # the first of several minima
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
    """Number of axes, and number of elements, of the sum of these factors."""
    extents: dict[Variable, int] = {}
    for factor in bucket:
        extents.update(zip(factor.variables, factor.costs.shape, strict=True))
    return len(extents), prod(extents.values())
