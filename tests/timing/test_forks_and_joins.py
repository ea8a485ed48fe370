# SPDX-License-Identifier: BSD-3-Clause
"""Forks and joins: no dead-lock under any stalls, and every beat in the predicted cycle."""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bonn_hw.errors import Hang
from bonn_hw.ir.folding import Folding
from bonn_hw.passes.fifo_sizing import insert_fifos, size_fifos
from bonn_hw.passes.width_conversion import insert_width_converters
from bonn_hw.timing.model import Deadlock, Network, certify, run
from tests.support.bench import random_values, simulate_design
from tests.support.residual import residual_graphs, unequal_block

# Shrinking a network that hangs takes minutes.
RELAXED = {
    "phases": [Phase.explicit, Phase.reuse, Phase.generate],
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
}


def folded(graph, draw):
    """Fold at random."""
    foldings = {
        node.name: draw(st.sampled_from(list(node.kernel.foldings()))) for node in graph.nodes
    }
    try:
        return insert_width_converters(graph, foldings)
    except ValueError:  # lanes that no converter joins
        return insert_width_converters(graph, dict.fromkeys(foldings, Folding(1, 1)))


@given(st.data())
@settings(max_examples=40, **RELAXED)
def test_sized_fifos_reach_the_bound(data):
    design = folded(data.draw(residual_graphs()), data.draw)
    sized = size_fifos(design)
    assert run(sized).interval == design.bound
    certify(Network.of(sized))


@pytest.mark.rtl
@given(st.data())
@settings(max_examples=4, **RELAXED)
def test_random_residual_graphs(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("design")
    design = size_fifos(folded(data.draw(residual_graphs()), data.draw))
    frames = random_values(design.graph.tensors["input"], 6)
    expected = design.graph.run(frames)
    for stall in (None, 1, 2, 3):
        outcome = simulate_design(design, frames, folder, stall)  # raises Hang on a dead-lock
        np.testing.assert_array_equal(outcome.outputs, expected)
        predicted = run(design, 6, stall).output_cycles
        np.testing.assert_array_equal(outcome.run.output_cycles, predicted)


@pytest.mark.rtl
def test_a_short_branch_without_room_stops_in_the_model_and_in_the_rtl(tmp_path):
    graph = unequal_block()
    foldings = {node.name: list(node.kernel.foldings())[-1] for node in graph.nodes}
    design = insert_width_converters(graph, foldings)
    short = next(s for s in design.streams if s.source == "stream_fork_0" and s.sink == "add_0")
    shallow = insert_fifos(design, {short.tensor: 3})
    with pytest.raises(Deadlock) as error:
        run(shallow, 2)
    assert "stream_fork_0 waits for fifo_0 to take a beat" in str(error.value)
    assert "add_0 waits for a beat from mvu_0" in str(error.value)
    frames = random_values(graph.tensors["input"], 2)
    with pytest.raises(Hang, match="the RTL hangs"):
        simulate_design(shallow, frames, tmp_path)
    deep = size_fifos(design)
    (queue,) = (stage for stage in deep.stages if stage.node.inputs == (short.tensor,))
    assert queue.node.kernel.depth < 2 * 6 + 8  # a row and what the long branch holds
    outcome = simulate_design(deep, frames, tmp_path)
    np.testing.assert_array_equal(outcome.outputs, graph.run(frames))
