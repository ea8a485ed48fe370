# SPDX-License-Identifier: BSD-3-Clause
"""Paths of `tready` through stages without a buffer, and the FIFOs that cut them."""

import numpy as np

from bonn_hw.frontend.graph_builder import GraphBuilder
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.add import Add
from bonn_hw.kernels.fifo import Fifo, Style
from bonn_hw.kernels.max_pool import MaxPool
from bonn_hw.kernels.threshold import Threshold
from bonn_hw.passes.fifo_sizing import depths_of, size_fifos
from bonn_hw.passes.ready_chains import cuts
from bonn_hw.passes.width_conversion import insert_width_converters
from bonn_hw.timing.model import run

WIDE = TensorType((1, 8, 4), Element(-8, 7))


def designed(builder):
    graph = builder.graph()
    return insert_width_converters(graph, {node.name: Folding(1, 1) for node in graph.nodes})


def pools(count, kind=WIDE):
    """Stages of one beat each, whose tready is that of their consumer."""
    builder = GraphBuilder(kind)
    for _ in range(count):
        builder.add(MaxPool(builder.kind, (1, 1)), "pool")
    return builder


def sinks(design, fixed=None):
    chosen = cuts(design, fixed or {})
    return [stream.sink for stream in design.streams if stream.tensor in chosen]


def test_two_stages_in_a_row_are_left_as_they_are():
    assert sinks(designed(pools(1))) == sinks(designed(pools(2))) == []


def test_no_path_crosses_more_than_two_stages():
    for count in range(3, 9):
        places = [int(name.removeprefix("max_pool_")) for name in sinks(designed(pools(count)))]
        assert len(places) == (count - 1) // 2
        assert np.diff([0, *places, count]).max() <= 2  # stages between two cuts


def test_the_cheapest_streams_are_cut():
    builder = pools(1)
    builder.add(Threshold(WIDE, np.zeros(4, np.int64), np.zeros(4, np.bool_)), "sign")
    builder.add(MaxPool(builder.kind, (1, 1)), "pool")
    design = designed(builder)
    assert [stream.width for stream in design.streams] == [4, 4, 1, 1]
    assert sinks(design) == ["max_pool_1"]
    more = pools(2)
    more.add(Threshold(WIDE, np.zeros(4, np.int64), np.zeros(4, np.bool_)), "sign")
    more.add(MaxPool(more.kind, (1, 1)), "pool")
    assert sinks(designed(more)) == ["threshold_0"]  # one wide cut instead of two


def test_a_stream_that_the_user_fixed_is_left_as_it_is():
    design = designed(pools(3))
    first, second = (stream.tensor for stream in design.streams[1:3])
    assert sinks(design, {first: 0}) == ["max_pool_2"]
    assert sinks(design, {first: 0, second: 0}) == []
    assert sinks(design, {second: 3}) == []


def test_streams_into_a_join_have_a_fifo_in_any_case():
    builder = pools(1)
    left, right = builder.fork(2, "fork")
    left.add(Add(left.kind, right.kind), "sum", right)
    left.add(MaxPool(left.kind, (1, 1)), "pool")
    assert sinks(designed(left)) == []


def test_a_cut_is_a_skid_buffer_and_costs_a_cycle_of_latency():
    bare = designed(pools(3))
    design = size_fifos(bare)
    assert [*depths_of(design).values()] == [2]
    (queue,) = (stage for stage in design.stages if isinstance(stage.node.kernel, Fifo))
    assert queue.node.kernel.style(queue.folding) == Style.SKID
    before, after = run(bare), run(design)
    assert (after.interval, after.latency) == (before.interval, before.latency + 1)
    fixed = dict.fromkeys((stream.tensor for stream in bare.streams[1:3]), 0)
    assert not depths_of(size_fifos(bare, fixed))


def test_bits_are_cut_in_a_larger_design_too(monkeypatch):
    monkeypatch.setattr("bonn_hw.passes.fifo_sizing.SMALL", 0)
    design = size_fifos(designed(pools(5, TensorType((4, 8, 4), BIPOLAR))))
    assert [*depths_of(design).values()] == [2, 2]
