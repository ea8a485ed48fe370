# SPDX-License-Identifier: BSD-3-Clause
"""The model is exact: it and the RTL give every output beat in the same cycle, stalled or not."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.schedule import Schedule
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.fifo import Fifo
from bonn_hw.passes.fifo_sizing import insert_fifos, size_fifos
from bonn_hw.passes.width_conversion import insert_width_converters
from bonn_hw.timing.model import Deadlock, run, run_schedules
from tests.support.bench import random_values, simulate_design
from tests.support.networks import Chain, small_cnn


@st.composite
def designs(draw):
    """Random small networks with random foldings and FIFOs."""
    bipolar = draw(st.booleans())
    element = BIPOLAR if bipolar else Element(-4, 3)
    height, width = draw(st.integers(3, 7)), draw(st.integers(3, 7))
    chain = Chain(TensorType((height, width, draw(st.integers(1, 4))), element), seed=1)
    for _ in range(draw(st.integers(1, 2))):
        rows, columns, _ = chain.kind.shape
        pad = draw(st.integers(0, 1))
        kernel = draw(st.integers(1, min(3, rows + 2 * pad, columns + 2 * pad)))
        chain.convolution(draw(st.integers(1, 6)), kernel, draw(st.integers(1, 2)), pad)
        if min(chain.kind.shape[:2]) >= 2 and draw(st.booleans()):
            chain.pool()
    chain.matrix(draw(st.integers(1, 6)), dense=True)
    chain.matrix(draw(st.integers(1, 6)), last=True)
    graph = chain.graph()
    foldings = {
        node.name: draw(st.sampled_from(list(node.kernel.foldings()))) for node in graph.nodes
    }
    try:
        folded = insert_width_converters(graph, foldings)
    except ValueError:  # lanes that no converter joins: fold everything to one lane
        folded = insert_width_converters(graph, dict.fromkeys(foldings, Folding(1, 1)))
    depths = st.sampled_from((0, 0, 2, 3, 8))
    return insert_fifos(folded, {s.tensor: draw(depths) for s in folded.streams if s.sink})


@pytest.mark.rtl
@given(designs())
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_output_beat_comes_in_the_predicted_cycle(tmp_path_factory, design):
    folder = tmp_path_factory.mktemp("design")
    frames = random_values(design.graph.tensors["input"], 6)
    for stall in (None, 1):
        outcome = simulate_design(design, frames, folder, stall)
        predicted = run(design, 6, stall).output_cycles
        np.testing.assert_array_equal(outcome.run.output_cycles, predicted)
        np.testing.assert_array_equal(outcome.outputs, design.graph.run(frames))


@pytest.mark.rtl
@pytest.mark.parametrize("fifos", [False, True])
def test_a_small_cnn_is_predicted_exactly(fifos, tmp_path):
    graph = small_cnn()
    foldings = {node.name: list(node.kernel.foldings())[-1] for node in graph.nodes}
    design = insert_width_converters(graph, foldings)
    if fifos:
        design = size_fifos(design)
    outcome = simulate_design(design, random_values(graph.tensors["input"], 12), tmp_path)
    timing = run(design, 12)
    np.testing.assert_array_equal(outcome.run.output_cycles, timing.output_cycles)
    assert outcome.run.interval == timing.interval
    assert outcome.run.latency == timing.latency


def test_a_deadlock_is_found_and_told():
    """A stage that waits for more beats than it can hold."""
    need = np.array([3], np.int64)
    stuck = Schedule(need, need, np.ones(1, bool), latency=1, capacity=2)
    queue = Fifo(TensorType((1, 1, 3), BIPOLAR), 4).schedule(Folding(1, 1))
    with pytest.raises(Deadlock) as error:
        run_schedules([queue, stuck], 2, ["queue", "stuck"])
    assert str(error.value) == (
        "no beat moves after cycle 5: the outside waits for a beat from stuck; stuck waits for "
        "more beats than its buffer holds"
    )


def test_the_first_beat_counts_from_reset():
    kernel = Fifo(TensorType((1, 1, 4), BIPOLAR), 2)
    timing = run_schedules([kernel.schedule(Folding(1, 1))], 5)
    assert timing.first_in.tolist() == [0, 4, 8, 12, 16]
    assert timing.first_out.tolist() == [1, 5, 9, 13, 17]
    assert timing.last_out.tolist() == [4, 8, 12, 16, 20]
    assert (timing.interval, timing.latency) == (4, 1)
