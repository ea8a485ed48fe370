# SPDX-License-Identifier: BSD-3-Clause
"""Random networks and what their refusals say; `python -m benchmarks.strangers` runs many more."""

import pytest

from tests.support.strangers import ODD, Layer, Plan, plan
from tests.support.strangers_judge import judge

NETWORKS = 15


def test_networks_are_exact_or_refused_with_a_remedy_that_works(tmp_path):
    outcomes = [judge(seed, tmp_path)[0] for seed in range(NETWORKS)]
    assert [(n, one) for n, one in enumerate(outcomes) if one.what != "exact"] == []
    assert any(one.remedies for one in outcomes)


def test_the_plan_of_a_seed_is_always_the_same():
    assert plan(5) == plan(5) != plan(6)


@pytest.mark.parametrize("odd", ["LRN", "ConvTranspose"])
def test_only_a_message_about_the_odd_form_undoes_it(odd):
    given = Plan(0, (1, 4, 4), (Layer("conv", {}, odd),))
    assert given.without(f"conv1: operator {odd} is not supported here; ...").odd == ()
    assert given.without("conv1: operator Conv is not supported here; ...") is None
    assert set(given.odd) <= set(ODD)


def test_a_step_that_falls_is_undone_once():
    given = Plan(0, (1, 4, 4), (Layer("conv", {"steps": 0.1, "norm": 0.3}),))
    message = "fc: ... exactly, because they rise and fall; use an activation that only rises, ..."
    after = given.without(message)
    assert after.layers[0].options == {"steps": 1.0, "norm": 0.3}
    assert after.without(message) is None
    assert given.without("fc: ... exactly: use a quantiser of at most 4 bits there") is None
