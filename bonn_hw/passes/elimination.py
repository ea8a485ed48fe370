# SPDX-License-Identifier: BSD-3-Clause
"""Minimise a sum of functions of few variables each, exactly, by eliminating the variables.

Bucket elimination (Dechter, Artificial Intelligence 113, 1999): all functions that a variable
occurs in are added up and replaced by their minimum over it. Time and memory are exponential in
the number of variables that such a sum has besides, which the order keeps small: along a chain it
is one, in graphs made of series and parallel parts two.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

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
    rest = list(factors)
    order: list[tuple[Variable, Factor]] = []
    total = 0.0
    while rest:
        variable = _cheapest(rest)
        bucket = [factor for factor in rest if variable in factor.variables]
        rest = [factor for factor in rest if variable not in factor.variables]
        names = dict.fromkeys(name for factor in bucket for name in factor.variables)
        others = tuple(name for name in names if name != variable)
        joint = sum((factor.over((variable, *others)) for factor in bucket), np.zeros(()))
        order.append((variable, Factor((variable, *others), joint)))
        least = joint.min(axis=0)
        if others:
            rest.append(Factor(others, least))
        else:
            total += float(least)
    values: dict[Variable, int] = {}
    for variable, factor in reversed(order):
        costs = factor.costs
        for name in factor.variables[1:]:
            costs = costs[:, values[name]]
        values[variable] = int(costs.argmin())
    return total, values


def _cheapest(factors: list[Factor]) -> Variable:
    """The variable whose elimination makes the smallest table; the first of equal ones."""
    tables: dict[Variable, dict[Variable, int]] = {}
    for factor in factors:
        extents = dict(zip(factor.variables, factor.costs.shape, strict=True))
        for name in factor.variables:
            tables.setdefault(name, {}).update(extents)
    return min(tables, key=lambda name: float(np.prod([float(n) for n in tables[name].values()])))
