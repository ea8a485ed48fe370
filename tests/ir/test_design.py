# SPDX-License-Identifier: BSD-3-Clause
"""Streams of a design: which ones, in which order, between which stages."""

import pytest
from hypothesis import HealthCheck, given, settings

from bonn_hw.ir.design import FoldedDesign, Stage
from bonn_hw.ir.folding import Folding
from bonn_hw.passes.width_conversion import insert_width_converters
from tests.support.residual import residual_graphs, unequal_block


def folded(graph):
    """As little in parallel as the kernels allow."""
    least = {node.name: next(iter(node.kernel.foldings())) for node in graph.nodes}
    return insert_width_converters(graph, least)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(residual_graphs())
def test_the_input_comes_first_and_the_output_last(graph):
    streams = folded(graph).check().streams
    assert (streams[0].tensor, streams[0].source) == (graph.input, None)
    assert (streams[-1].tensor, streams[-1].sink) == (graph.output, None)
    assert all(stream.source and stream.sink for stream in streams[1:-1])


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(residual_graphs())
def test_every_stream_is_named_once_with_both_its_ends(graph):
    design = folded(graph)
    ends = {s.tensor: (s.source, s.sink) for s in design.streams}
    assert len(ends) == len(design.streams)
    for node in design.graph.nodes:
        assert all(ends[name][1] == node.name for name in node.inputs)
        assert all(ends[name][0] == node.name for name in node.outputs)


def test_lanes_that_disagree_are_refused():
    design = folded(unequal_block())
    stages = tuple(
        Stage(stage.node, Folding(2, 2)) if stage.name == "add_0" else stage
        for stage in design.stages
    )
    with pytest.raises(ValueError, match=r"stream '.*': .* outputs 1 lanes, add_0 needs 2"):
        FoldedDesign(design.graph, stages).check()
