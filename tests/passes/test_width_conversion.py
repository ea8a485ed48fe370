# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.tensor import BIPOLAR, TensorType
from bonn_hw.passes.folding import choose_foldings
from bonn_hw.passes.width_conversion import conversions, insert_width_converters
from tests.support.bench import random_values
from tests.support.networks import small_cnn
from tests.support.residual import residual_graphs

FRAME = TensorType((2, 3, 4), BIPOLAR)


def test_one_converter_where_one_divides_the_other():
    assert conversions(FRAME, 2, 2) == ()
    assert conversions(FRAME, 2, 4) == (Folding(4, 2),)
    assert conversions(FRAME, 12, 3) == (Folding(3, 12),)


def test_two_converters_over_the_least_common_multiple_otherwise():
    assert conversions(FRAME, 2, 3) == (Folding(6, 2), Folding(3, 6))
    assert conversions(FRAME, 3, 8) == (Folding(24, 3), Folding(8, 24))


def test_none_where_the_multiple_does_not_divide_the_frame():
    assert conversions(FRAME, 8, 12) == (Folding(24, 8), Folding(12, 24))
    assert conversions(TensorType((1, 1, 36), BIPOLAR), 4, 9) == (Folding(36, 4), Folding(9, 36))
    assert conversions(TensorType((1, 1, 12), BIPOLAR), 4, 9) is None


def test_both_ends_of_every_stream_agree_and_nothing_is_computed_anew():
    graph = small_cnn()
    design = insert_width_converters(graph, choose_foldings(graph, 700, {}, 380))
    kernels = [stage.node.kernel for stage in design.stages]
    assert [node.kernel for node in graph.nodes] == [
        kernel for kernel in kernels if kernel.stem != "width_converter"
    ]
    assert all(stream.beats * stream.lanes == stream.kind.size for stream in design.streams)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_all_inputs_and_outputs_of_a_node_are_converted_and_nothing_changes(data):
    graph = data.draw(residual_graphs())
    foldings = {
        node.name: data.draw(st.sampled_from(list(node.kernel.foldings()))) for node in graph.nodes
    }
    design = insert_width_converters(graph, foldings)
    stages = {stage.name: stage for stage in design.stages}
    assert len(stages) == len(design.stages)
    for node in graph.nodes:
        stage = stages[node.name]
        assert (stage.node.kernel, stage.folding) == (node.kernel, foldings[node.name])
        assert stage.node.outputs == node.outputs
    for stream in design.streams:
        if stream.source:
            source = stages[stream.source]
            assert stream.lanes == source.node.kernel.lanes(source.folding)[1]
        if stream.sink:
            sink = stages[stream.sink]
            place = sink.node.inputs.index(stream.tensor)
            assert stream.lanes == sink.node.kernel.input_lanes(sink.folding)[place]
    frames = random_values(graph.tensors["input"], 2)
    np.testing.assert_array_equal(design.graph.run(frames), graph.run(frames))
