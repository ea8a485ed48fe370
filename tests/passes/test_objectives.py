# SPDX-License-Identifier: BSD-3-Clause
"""Goals against all foldings of small graphs, one by one."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bonn_hw.errors import UserError
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.tensor import BIPOLAR, TensorType
from bonn_hw.passes import objectives
from bonn_hw.passes.folding import Choice, Space, usual_weights
from bonn_hw.passes.width_conversion import insert_width_converters
from tests.support.networks import Chain, cnv, small_cnn

WEIGHTS = usual_weights(380)


def tiny(seed):
    chain = Chain(TensorType((1, 1, 12), BIPOLAR), seed)
    chain.matrix(6)
    chain.matrix(4)
    return chain.graph()


def every_design(graph):
    """Cycles, resources of all foldings that converters can join."""
    for choice in itertools.product(*(node.kernel.foldings() for node in graph.nodes)):
        foldings = {node.name: folding for node, folding in zip(graph.nodes, choice, strict=True)}
        try:
            design = insert_width_converters(graph, foldings)
        except ValueError:
            continue
        used = (stage.node.kernel.resources(stage.folding) for stage in design.stages)
        cycles = max(node.kernel.cycles(foldings[node.name]) for node in graph.nodes)
        yield cycles, np.array(sum(used, Resources()).astuple())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 9), st.floats(0, 1), st.floats(0.3, 1), st.floats(0.3, 1))
def test_the_fastest_that_fits(seed, lut, ff, bram):
    graph = tiny(seed)
    designs = list(every_design(graph))
    least, most = (pick([used for _, used in designs], axis=0) for pick in (np.min, np.max))
    budget = least + (most - least) * np.array([lut, ff, bram, 1])
    fitting = [cycles for cycles, used in designs if (used <= budget).all()]
    space = Space(graph, {})
    try:
        found = objectives.fastest(space, Resources(*budget), WEIGHTS)
    except UserError:
        assert not fitting  # two budgets may be met, but not by the same design
        return
    assert (np.array(found.choice.resources.astuple()) <= budget).all()
    # What is not proved to be the fastest may be slower than another.
    assert found.choice.cycles >= min(fitting)
    if found.proved:
        assert found.choice.cycles == min(fitting)


@pytest.mark.parametrize("seed", range(3))
def test_the_front_is_that_of_all_designs(seed):
    graph = tiny(seed)
    designs = [(cycles, used @ WEIGHTS) for cycles, used in every_design(graph)]
    front = {
        (cycles, round(cost, 6))
        for cycles, cost in designs
        if not any(c <= cycles and p <= cost and (c, p) != (cycles, cost) for c, p in designs)
    }
    found = list(objectives.front(Space(graph, {}), WEIGHTS))
    assert {(choice.cycles, round(choice.cost, 6)) for choice in found} == front
    assert [choice.cycles for choice in found] == sorted(c.cycles for c in found)[::-1]


def test_the_front_of_a_graph_with_one_design_is_that_design():
    chain = Chain(TensorType((1, 1, 1), BIPOLAR))
    chain.matrix(1)
    ((cycles, used),) = every_design(chain.graph())
    (choice,) = objectives.front(Space(chain.graph(), {}), WEIGHTS)
    assert (choice.cycles, choice.resources.astuple()) == (cycles, tuple(used))


def test_of_designs_of_equal_cost_the_front_has_the_fastest():
    class Equal:
        bounds = (5, 9)

        def cheapest(self, bound, weights):
            return Choice({}, {}, 7.0, bound, Resources(7))

    assert [choice.cycles for choice in objectives.front(Equal(), WEIGHTS)] == [5]


def test_a_budget_may_be_used_up():
    assert objectives.fits(Resources(4, 3, 2, 1), Resources(4, 3, 2, 1))
    assert not objectives.fits(Resources(4, 3, 2, 1.5), Resources(4, 3, 2, 1))

    class Once:
        calls = 0

        def cheapest(self, bound, weights):
            self.calls += 1
            return Choice({}, {}, 1.0, bound, Resources(4, 3, 2, 1))

    space = Once()
    assert isinstance(objectives.within(space, 9, Resources(4, 3, 2, 1)), Choice)
    assert space.calls == 1


@pytest.mark.parametrize(("lut", "bram", "fit", "rounds"), [(12e3, 40, 1, 6), (6e3, 20, 0, 2)])
def test_weight_moves_to_what_is_scarce(lut, bram, fit, rounds):
    class Counted(Space):
        calls = 0

        def cheapest(self, *arguments):
            Counted.calls += 1
            return super().cheapest(*arguments)

    budget = Resources(lut, 1e6, bram, 220)
    found = objectives.within(Counted(cnv(), {}), 32768, budget)
    assert isinstance(found, Choice) == bool(fit)
    assert not fit or objectives.fits(found.resources, budget)
    assert Counted.calls == rounds


def test_the_search_for_weights_ends_without_a_proof(monkeypatch):
    close = []
    monkeypatch.setattr(objectives, "exchanged", lambda *given: close.append(given[1]))

    class Never:
        calls = 0

        def cheapest(self, bound, weights):
            self.calls += 1
            return Choice({}, {}, 0.5, bound, Resources(2, 2))

    space = Never()
    found = objectives.within(space, 9, Resources(1, 9, 9, 9))
    assert isinstance(found, objectives.TooLarge) and not found.proved and found.scarce == "LUT"
    assert space.calls == 40
    assert len(close) == 4  # designs in which units are exchanged


def test_a_budget_that_nothing_meets_is_a_proof():
    space = Space(cnv(), {})
    large = objectives.within(space, 32768, Resources(3000, 1e6, 140, 220))
    assert isinstance(large, objectives.TooLarge) and large.proved and large.scarce == "LUT"
    with pytest.raises(UserError) as error:
        objectives.fastest(space, Resources(1000, 1e6, 140, 0), WEIGHTS)
    assert "even the smallest design does not fit: it needs" in str(error.value)
    assert "LUT (at most 1,000 may be used): choose a larger board" in str(error.value)


def test_the_smallest_design_is_that_of_the_loosest_bound():
    class Shrinking:
        bounds = (5, 9)

        def cheapest(self, bound, weights):
            return Choice({}, {}, 2.0, bound, Resources(12 - bound))

    with pytest.raises(UserError, match=r"it needs 3 LUT \(at most 1 may be used\)"):
        objectives.fastest(Shrinking(), Resources(1, 1, 1, 1), WEIGHTS)


def test_the_lowest_price_that_meets_a_latency_is_found():
    class Priced:
        def cheapest(self, bound, weights, price=0.0):
            return Choice({}, {}, price, 10 if price >= 0.01 else 20, Resources())

    found = objectives.meet_latency(Priced(), 9, WEIGHTS, lambda choice: choice.cycles, 10)
    assert 0.01 <= found.cost < 0.0103  # ten halvings of ten decades


def test_what_limits_is_told():
    graph = cnv()
    space = Space(graph, {})
    free = objectives.fastest(space, Resources(1e9, 1e9, 1e9, 1e9), WEIGHTS)
    assert free.limit == (
        "sliding_window_0 (layer of sliding_window_0) needs 2,700 cycles per frame at full "
        "parallelism"
    )
    tight = objectives.fastest(space, Resources(20_000, 1e9, 60, 0), WEIGHTS)
    assert tight.limit == "LUT: the next faster design needs more than may be used"
    assert tight.proved
    assert tight.choice.resources.lut <= 20_000 < 1.1 * tight.choice.resources.lut


def test_latency_has_its_price():
    space = Space(small_cnn(), {})
    asked = []

    def latency(choice):  # any that falls as nodes finish sooner
        asked.append(choice)
        return sum(node.kernel.cycles(choice.foldings[node.name]) for node in small_cnn().nodes)

    cheapest = space.cheapest(4000, WEIGHTS)
    priced = [space.cheapest(4000, WEIGHTS, 10.0**price) for price in np.arange(-7, 3.1, 0.25)]
    costs = []
    for share in (1.0, 0.8, 0.5):
        wanted = int(share * latency(cheapest))
        choice = objectives.meet_latency(space, 4000, WEIGHTS, latency, wanted)
        assert latency(choice) <= wanted and choice.cycles <= 4000
        costs.append(np.array(choice.resources.astuple()) @ WEIGHTS)
        assert costs[-1] <= min(
            np.array(one.resources.astuple()) @ WEIGHTS for one in priced if latency(one) <= wanted
        )
    assert costs == sorted(costs) and costs[0] == cheapest.cost
    asked.clear()
    objectives.meet_latency(space, 4000, WEIGHTS, latency, latency(cheapest))
    assert len(asked) == 2  # ours and one: the cheapest design is just fast enough
    least = latency(priced[-1])
    found = objectives.meet_latency(space, 4000, WEIGHTS, latency, least)
    assert latency(found) == least
    with pytest.raises(
        UserError, match=rf"a latency of {least - 1:,} cycles was found; the smallest is {least:,}"
    ):
        objectives.meet_latency(space, 4000, WEIGHTS, latency, least - 1)
