# SPDX-License-Identifier: BSD-3-Clause
import itertools
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bonn_hw.errors import UserError
from bonn_hw.frontend.graph_builder import GraphBuilder
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.graph import DataflowGraph, Node
from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.add import Add
from bonn_hw.kernels.mvu import Mvu
from bonn_hw.passes.folding import Space, check_constraints, choose_foldings, usual_weights
from bonn_hw.passes.options import Options
from bonn_hw.passes.width_conversion import conversion_resources, insert_width_converters
from tests.support.networks import CNV_FINN_FOLDING, Chain, cnv, small_cnn


def predicted_cost(design, lut_per_bram36=380):
    used = [stage.node.kernel.resources(stage.folding) for stage in design.stages]
    return sum(u.lut + lut_per_bram36 * u.bram36 for u in used)


def test_no_stage_exceeds_the_bound_and_tighter_bounds_cost_more():
    graph = small_cnn()
    costs = []
    for cycles in (20000, 2000, 600):
        design = insert_width_converters(graph, choose_foldings(graph, cycles, {}, 380))
        assert design.bound <= cycles
        costs.append(predicted_cost(design))
    assert costs == sorted(costs)


def test_a_choice_counts_its_kernels_and_converters():
    graph = small_cnn()
    choice = Space(graph, {}).cheapest(2000, usual_weights(380))
    design = insert_width_converters(choice.applied(graph), choice.foldings)
    assert any(stage.node.kernel.stem == "width_converter" for stage in design.stages)
    used = [stage.node.kernel.resources(stage.folding).astuple() for stage in design.stages]
    np.testing.assert_allclose(choice.resources.astuple(), np.sum(used, axis=0), rtol=1e-12)


def test_bounds_are_the_numbers_of_cycles_that_all_nodes_can_keep():
    graph = small_cnn()
    each = [{n.kernel.cycles(one) for one in n.kernel.foldings()} for n in graph.nodes]
    least = max(map(min, each))
    space = Space(graph, {})
    assert space.bounds == sorted(one for one in set().union(*each) if one >= least)
    assert space.slowest[1] == space.bounds[0] == least


def test_options_within_a_number_of_cycles_may_need_all_of_them():
    kernel = small_cnn().nodes[-1].kernel
    every = sorted({kernel.cycles(folding) for folding in kernel.foldings()})
    assert len(every) > 3
    for most in every:
        assert Options.of([kernel], None, most).cycles.max() == most
    assert {*Options.of([kernel], None, every[0] - 1).cycles} == {every[0]}


def test_the_choice_is_the_cheapest_of_all():
    chain = Chain(TensorType((1, 1, 12), BIPOLAR))
    chain.matrix(6)
    chain.matrix(4, last=True)
    graph = chain.graph()
    chosen = insert_width_converters(graph, choose_foldings(graph, 10, {}, 380))
    costs = []
    for pair in itertools.product(*(node.kernel.foldings() for node in graph.nodes)):
        foldings = {node.name: folding for node, folding in zip(graph.nodes, pair, strict=True)}
        if all(node.kernel.cycles(foldings[node.name]) <= 10 for node in graph.nodes):
            try:
                costs.append(predicted_cost(insert_width_converters(graph, foldings)))
            except ValueError:  # no converter between those lanes
                continue
    assert predicted_cost(chosen) == min(costs)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 99), st.integers(2, 3), st.integers(4, 24))
def test_the_choice_is_the_cheapest_of_all_with_forks_and_joins(seed, copies, cycles):
    """A fork, a matrix layer on all branches but one, the sums of them."""
    random = np.random.default_rng(seed)
    emission = GraphBuilder(TensorType((1, 1, 4), Element(-8, 7)))
    first, *branches = emission.fork(copies, "fork")
    for branch in branches:
        weights = random.choice([-1, 1], (4, 4)).astype(np.int8)
        unit = Mvu((1, 1), branch.kind.element, weights, None, np.zeros((1, 4), int), (0,), (0,))
        branch.add(unit, "matrix")
        first.add(Add(first.kind, branch.kind), "sum", branch)
    graph = first.graph()
    chosen = insert_width_converters(graph, choose_foldings(graph, cycles, {}, 380))
    costs = []
    for choice in itertools.product(*(node.kernel.foldings() for node in graph.nodes)):
        foldings = {node.name: folding for node, folding in zip(graph.nodes, choice, strict=True)}
        if all(node.kernel.cycles(foldings[node.name]) <= cycles for node in graph.nodes):
            costs.append(predicted_cost(insert_width_converters(graph, foldings)))
    assert predicted_cost(chosen) == pytest.approx(min(costs))


@dataclass(frozen=True, eq=False)
class Made(Kernel):
    """A kernel whose foldings, and what they take, are made up; it computes nothing."""

    kind: TensorType
    ends: tuple[int, int]
    choices: dict[Folding, tuple[int, int]]  # cycles, LUT
    asked: list[tuple[str, Folding]] = field(default_factory=list)  # in the order of questions

    inputs = property(lambda self: (self.kind,) * self.ends[0])
    outputs = property(lambda self: (self.kind,) * self.ends[1])
    reference = schedule = rtl = None

    def foldings(self):
        yield from self.choices

    def lanes(self, folding):
        return max(2, folding.simd), max(2, folding.pe)  # several foldings with the same ones

    def cycles(self, folding):
        self.asked.append(("cycles", folding))
        return self.choices[folding][0]

    def resources(self, folding):
        self.asked.append(("resources", folding))
        return Resources(lut=self.choices[folding][1])


FRAME = TensorType((1, 1, 24), BIPOLAR)
FIT, UNFIT = (1, 2, 3, 4, 6, 8), (2, 3, 5, 16)  # in a frame of 24: all others, only some


@st.composite
def made_graphs(draw, most_ends):
    """Chains (1), or any acyclic graph of up to five nodes (more)."""
    ends, nodes = ["x"], []
    count = draw(st.integers(2, 5))
    lanes = st.sampled_from(draw(st.sampled_from((FIT, FIT, FIT, UNFIT))))
    costs = st.tuples(st.integers(1, 9), st.integers(0, 30))
    for place in range(count):
        last = place == count - 1
        ends = draw(st.permutations(ends))
        taken = len(ends) if last else draw(st.integers(1, min(len(ends), most_ends)))
        given = 1 if last else draw(st.integers(1, most_ends))
        choices = draw(
            st.dictionaries(st.builds(Folding, lanes, lanes), costs, min_size=2, max_size=4)
        )
        fresh = tuple(f"t{place}_{end}" for end in range(given))
        kernel = Made(FRAME, (taken, given), choices)
        nodes.append(Node(f"n{place}", kernel, tuple(ends[:taken]), fresh, "made"))
        ends = [*ends[taken:], *fresh]
    names = {"x", *(name for node in nodes for name in node.outputs)}
    return DataflowGraph(tuple(nodes), dict.fromkeys(names, FRAME), "x", ends[0]).check()


def spent(graph, foldings):
    """Resources of nodes and converters; infinite where lanes cannot be joined."""
    given, total = {}, 0.0
    for node in graph.nodes:
        taken, gives = node.kernel.lanes(foldings[node.name])
        total += node.kernel.choices[foldings[node.name]][1]
        for name in node.inputs:
            used = conversion_resources(FRAME, given.get(name, taken), taken)
            total += np.inf if used is None else used.lut + 380 * used.bram36
        given.update(dict.fromkeys(node.outputs, gives))
    return total


def cheapest(nodes, graph, cycles, pins):
    """Try everything for the first nodes of a graph; infinite where nothing goes."""
    part = replace(graph, nodes=nodes)
    kept = [
        [pins[node.name]]
        if node.name in pins
        else [f for f, (needed, _) in node.kernel.choices.items() if needed <= cycles]
        for node in nodes
    ]
    names = [node.name for node in nodes]
    trials = (dict(zip(names, choice, strict=True)) for choice in itertools.product(*kept))
    return min((spent(part, trial) for trial in trials), default=np.inf)


@pytest.mark.parametrize("most_ends", [1, 3])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_as_trying_everything(most_ends, data):
    graph = data.draw(made_graphs(most_ends))
    cycles = data.draw(st.integers(6, 9))
    pins = {
        node.name: data.draw(st.sampled_from(list(node.kernel.choices)))
        for node in graph.nodes
        if data.draw(st.integers(0, 5)) == 5
    }
    try:
        chosen = choose_foldings(graph, cycles, pins, 380)
    except UserError as error:
        text = str(error)
    else:
        text = ""
        assert all(chosen[name] == folding for name, folding in pins.items())
        assert spent(graph, chosen) == pytest.approx(cheapest(graph.nodes, graph, cycles, pins))
        assert choose_foldings(graph, cycles, pins, 380) == chosen
    if "cannot be fed" in text:
        impossible = [
            np.isinf(cheapest(graph.nodes[: last + 1], graph, cycles, pins))
            for last in range(len(graph.nodes))
        ]
        assert text.startswith(f"folding: {graph.nodes[impossible.index(True)].name} (made)")
    elif text:
        assert "cycles per frame at full parallelism" in text


def test_no_folding_is_asked_twice_and_fewer_lanes_are_preferred():
    choices = {Folding(lanes, lanes): (24 // lanes, 7) for lanes in (24, 4, 2)}
    nodes = tuple(
        Node(f"n{place}", Made(FRAME, (1, 1), choices), (f"t{place}",), (f"t{place + 1}",))
        for place in range(3)
    )
    tensors = {f"t{place}": FRAME for place in range(4)}
    chosen = choose_foldings(DataflowGraph(nodes, tensors, "t0", "t3").check(), 12, {}, 380)
    assert chosen == dict.fromkeys(("n0", "n1", "n2"), Folding(2, 2))
    for node in nodes:
        assert sorted(node.kernel.asked) == sorted(
            (question, folding) for question in ("cycles", "resources") for folding in choices
        )


def test_finns_folding_of_cnv_has_finns_cycles():
    graph = cnv()
    check_constraints(graph, CNV_FINN_FOLDING)
    foldings = choose_foldings(graph, 32768, CNV_FINN_FOLDING, 380)
    cycles = [n.kernel.cycles(foldings[n.name]) for n in graph.nodes if n.kernel.stem == "mvu"]
    assert cycles == [32400, 28224, 20736, 28800, 20736, 18432, 32768, 32768, 1024]


def test_a_target_out_of_reach_names_the_slowest_layer():
    with pytest.raises(UserError) as error:
        choose_foldings(small_cnn(), 100, {}, 380)
    assert str(error.value) == (
        "folding: sliding_window_0 (layer of sliding_window_0) needs 192 cycles per frame at full "
        "parallelism, but the target allows 100: ask for at most 0.521 times these frames per "
        "second, or a faster clock"
    )


@pytest.mark.parametrize(
    ("pins", "message"),
    [
        (
            {"conv9": Folding(1, 1)},
            "folding: there is no layer 'conv9'; the layers are pad_0, sliding_window_0, mvu_0, "
            "pad_1, sliding_window_1, mvu_1, max_pool_0, mvu_2, mvu_3",
        ),
        (
            {"mvu_0": Folding(4, 3)},
            "folding: mvu_0 (layer of mvu_0) cannot have PE 4 and SIMD 3: PE must be one of "
            "[1, 2, 3, 6] and SIMD one of [1, 3, 9]",
        ),
        (
            {"max_pool_0": Folding(4, 2)},
            "folding: max_pool_0 (layer of max_pool_0) cannot have PE 4 and SIMD 2: PE must be "
            "one of [1, 2, 4, 8] and SIMD one of [1, 2, 4, 8], and both the same",
        ),
        (
            {"sliding_window_1": Folding(18, 3)},
            "folding: sliding_window_1 (layer of sliding_window_1) cannot have PE 18 and SIMD 3: "
            "PE must be one of [1, 2, 3, 6, 18] and SIMD one of [1, 2, 3, 6], and both the same or "
            "PE 18 with SIMD 6",
        ),
    ],
)
def test_illegal_pins_are_refused(pins, message):
    with pytest.raises(UserError) as error:
        check_constraints(small_cnn(), pins)
    assert str(error.value) == message
