# SPDX-License-Identifier: BSD-3-Clause
"""Both engines say the same: the one that steps through every cycle is the other's oracle."""

from dataclasses import fields

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.schedule import Schedule
from bonn_hw.passes.fifo_sizing import insert_fifos
from bonn_hw.passes.width_conversion import insert_width_converters
from bonn_hw.timing import engines
from bonn_hw.timing.model import Deadlock, Network, run_network, with_shortest_pipelines
from tests.support.networks import small_cnn
from tests.support.residual import residual_graphs


@st.composite
def networks(draw):
    """Random residual graphs and a small CNN, folded at random; many of them dead-lock."""
    graph = draw(st.one_of(residual_graphs(), st.builds(small_cnn)))
    foldings = {
        node.name: draw(st.sampled_from(list(node.kernel.foldings()))) for node in graph.nodes
    }
    try:
        design = insert_width_converters(graph, foldings)
    except ValueError:  # lanes that no converter joins
        design = insert_width_converters(graph, dict.fromkeys(foldings, Folding(1, 1)))
    depth = st.sampled_from((0, 0, 1, 2, 3, 8, 40, 1 << 40))
    depths = {s.tensor: draw(depth) for s in design.streams if s.source and s.sink}
    network = Network.of(insert_fifos(design, depths))
    return with_shortest_pipelines(network) if draw(st.booleans()) else network


def told(network, engine, **how):
    try:
        timing = run_network(network, engine=engine, **how)
    except Deadlock as error:
        return str(error)
    said = {field.name: np.array(getattr(timing, field.name)).tolist() for field in fields(timing)}
    if not how["frames"]:  # they end at a frame, with more input or less in the queues
        del said["peaks"], said["waits"]
    return said


@given(
    networks(),
    st.sampled_from((0, 1, 5)),
    st.sampled_from((0, 0, 200, 3000)),
    st.sampled_from((None, None, 1, 2)),
)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_events_and_steps_agree(network, frames, pace, stall):
    how = {"frames": frames, "pace": pace, "stall": stall}
    assert told(network, engines.events, **how) == told(network, engines.stepping, **how)


@st.composite
def schedules(draw):
    """A stage of any manner that fits its neighbours: so many beats in, so many out."""
    taken, given = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    steps = given + draw(st.integers(0, 20))
    need = np.sort(draw(st.lists(st.integers(0, taken), min_size=steps, max_size=steps)))
    need[-1] = max(need[-1], 1)  # one that needs nothing answers before it is asked: no kernel does
    release = np.sort(draw(st.lists(st.integers(0, taken), min_size=steps, max_size=steps)))
    release = np.minimum(need, release)
    release[-1] = taken  # beats that none needs are given back with the last step
    emit = np.zeros(steps, bool)
    emit[draw(st.permutations(range(steps)))[:given]] = True
    latency = draw(st.integers(1, 9))
    capacity = draw(st.sampled_from((taken, taken + 1, 2 * taken, 100)))
    repeats = draw(st.integers(1, 3))
    return Schedule(
        need.astype(np.int64), release.astype(np.int64), emit, latency, capacity, repeats
    )


@given(st.lists(schedules(), min_size=1, max_size=1), st.sampled_from((None, 3)))
@settings(max_examples=100, deadline=None)
def test_stages_of_any_manner(stages, stall):
    results = []
    for engine in (engines.events, engines.stepping):
        network = Network(("stage",), tuple(stages), ((-1, 0), (0, -1)))
        results.append(told(network, engine, frames=6, stall=stall))
    whole = Network(("stage",), (stages[0].frame,), ((-1, 0), (0, -1)))
    assert results[0] == results[1] == told(whole, engines.events, frames=6, stall=stall)


def test_a_schedule_that_was_broadcast_is_read_alike():
    """A pixel that is repeated: its steps all need the same one beat."""
    ones = np.broadcast_to(np.int64(1), 6)
    release = np.array([0, 0, 0, 0, 0, 1])
    plan = Schedule(ones, release, np.broadcast_to(True, 6), latency=1, capacity=2)
    network = Network(("repeat",), (plan,), ((-1, 0), (0, -1)))
    both = [run_network(network, 5, engine=engine) for engine in (engines.events, engines.stepping)]
    np.testing.assert_array_equal(*(timing.output_cycles for timing in both))
