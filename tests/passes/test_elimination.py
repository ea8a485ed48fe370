# SPDX-License-Identifier: BSD-3-Clause
"""The minimum is that of trying everything."""

from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bonn_hw.passes.elimination import Factor, minimise

COSTS = st.sampled_from((0.0, 1.0, 2.0, 3.5, np.inf))


@st.composite
def problems(draw):
    """Functions of up to three of five variables: chains, trees, circles, loose ends."""
    extents = draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))
    names = st.sampled_from(range(len(extents)))
    factors = []
    for _ in range(draw(st.integers(1, 6))):
        variables = tuple(draw(st.lists(names, min_size=0, max_size=3, unique=True)))
        shape = [extents[name] for name in variables]
        costs = draw(st.lists(COSTS, min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
        factors.append(Factor(variables, np.array(costs).reshape(shape)))
    return extents, factors


def total(factors, values):
    return sum(factor.costs[tuple(values[name] for name in factor.variables)] for factor in factors)


@given(problems())
def test_as_trying_everything(problem):
    extents, factors = problem
    used = {name for factor in factors for name in factor.variables}
    cost, values = minimise(factors)
    assert set(values) == used
    best = min(total(factors, trial) for trial in product(*map(range, extents)))
    assert cost == best
    assert total(factors, values) == best


def test_smaller_values_are_preferred():
    same = Factor(("a", "b"), np.zeros((3, 3)))
    assert minimise([same]) == (0.0, {"a": 0, "b": 0})


def test_nothing_to_choose():
    assert minimise([]) == (0.0, {})


def test_a_long_ladder_needs_only_small_tables():
    """Sides with a rung at each of 200 steps, 20 values each: small only in the right order."""
    random = np.random.default_rng(0)
    pairs = [((side, step), (side, step + 1)) for side in "lr" for step in range(199)]
    pairs += [(("l", step), ("r", step)) for step in range(200)]
    factors = [Factor(pair, random.integers(0, 9, (20, 20)).astype(float)) for pair in pairs]
    cost, values = minimise(factors)
    assert cost == total(factors, values)
