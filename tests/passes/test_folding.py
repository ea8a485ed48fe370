# SPDX-License-Identifier: BSD-3-Clause
import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bonn_hw.errors import UserError
from bonn_hw.frontend.emission import Emission
from bonn_hw.ir.design import Folding
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.mvu import Mvu
from bonn_hw.passes.folding import check_pins, choose_foldings
from bonn_hw.passes.width_conversion import insert_width_converters
from networks import CNV_FINN_FOLDING, Chain, cnv, small_cnn


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
    emission = Emission(TensorType((1, 1, 4), Element(-8, 7)))
    first, *branches = emission.fork(copies, "fork")
    for branch in branches:
        weights = random.choice([-1, 1], (4, 4)).astype(np.int8)
        unit = Mvu((1, 1), branch.kind.element, weights, None, np.zeros((1, 4), int), (0,), (0,))
        branch.add(unit, "matrix")
        first.join(branch, "sum")
    graph = first.graph()
    chosen = insert_width_converters(graph, choose_foldings(graph, cycles, {}, 380))
    costs = []
    for choice in itertools.product(*(node.kernel.foldings() for node in graph.nodes)):
        foldings = {node.name: folding for node, folding in zip(graph.nodes, choice, strict=True)}
        if all(node.kernel.cycles(foldings[node.name]) <= cycles for node in graph.nodes):
            costs.append(predicted_cost(insert_width_converters(graph, foldings)))
    assert predicted_cost(chosen) == pytest.approx(min(costs))


def test_finns_folding_of_cnv_has_finns_cycles():
    graph = cnv()
    check_pins(graph, CNV_FINN_FOLDING)
    foldings = choose_foldings(graph, 32768, CNV_FINN_FOLDING, 380)
    cycles = [n.kernel.cycles(foldings[n.name]) for n in graph.nodes if n.kernel.stem == "mvu"]
    assert cycles == [32400, 28224, 20736, 28800, 20736, 18432, 32768, 32768, 1024]


def test_a_target_out_of_reach_names_the_slowest_layer():
    with pytest.raises(UserError) as error:
        choose_foldings(small_cnn(), 100, {}, 380)
    assert str(error.value) == (
        "folding: sliding_window_0 (layer of sliding_window_0) needs 576 cycles a frame at full "
        "parallelism, but the target allows 100: ask for at most 0.174 times these frames per "
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
    ],
)
def test_illegal_pins_are_refused(pins, message):
    with pytest.raises(UserError) as error:
        check_pins(small_cnn(), pins)
    assert str(error.value) == message
