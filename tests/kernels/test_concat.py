# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Iterator

import numpy as np
import pytest

from bonn_hw.frontend.graph_builder import GraphBuilder
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.concat import Concat
from bonn_hw.kernels.copy_channels import CopyChannels
from bonn_hw.kernels.mvu import Mvu
from bonn_hw.passes.fifo_sizing import size_fifos
from bonn_hw.passes.folding import Space, usual_weights
from bonn_hw.passes.width_conversion import insert_width_converters
from tests.kernels.test_stream_fork import prove_meeting
from tests.support.grids import Grid, Point, signed, unsigned


def concat(shape, *operands):
    """Of channels and elements."""
    return Concat(tuple(TensorType((*shape, channels), element) for channels, element in operands))


EXAMPLES = [
    concat((2, 3), (2, BIPOLAR), (3, BIPOLAR)),
    concat((2, 2), (1, signed(4)), (2, unsigned(3)), (3, Element(-1, 9))),
]
ILLEGAL = [{"INPUTS": 1}, {"IN_WIDTH": 1}, {"OUT_LANES": 0}, {"OUT_BITS": 0}]


def points() -> Iterator[Point]:
    """Two to five operands, of one width and of several."""
    for operands in (
        *([(channels, BIPOLAR)] * count for channels in (8, 64) for count in (2, 3, 5)),
        *([(channels, unsigned(4)), (channels // 2, unsigned(4))] for channels in (4, 32, 128)),
        *([(channels, signed(4)), (channels, signed(8))] for channels in (2, 16, 64)),
        *([(channels, unsigned(2)), (3, signed(6)), (1, unsigned(5))] for channels in (1, 16)),
    ):
        kernel = concat((2, 2), *operands)
        yield kernel, next(kernel.foldings())


GRID = Grid(points, step=3)


def select(kind, *index):
    return CopyChannels(kind, np.array(index))


def unit(kind, high):
    """A 1x1 convolution to ``high`` integers."""
    height, width, channels = kind.shape
    weights = np.random.default_rng(high).choice([-1, 1], (high, channels)).astype(np.int8)
    offsets = np.arange(high)[None] % 3
    return Mvu((height, width), kind.element, weights, None, offsets, (0,) * height, (0,) * width)


def joined(kind, *branches):
    """A fork, the kernels of each branch, and the concatenation of all."""
    builder = GraphBuilder(kind)
    ends = builder.fork(len(branches), "fork")
    for end, branch in zip(ends, branches, strict=True):
        for kernel in branch:
            end.add(kernel(end.kind), "branch")
    ends[0].add(Concat(tuple(end.kind for end in ends)), "concat", *ends[1:])
    return ends[0].graph()


def folded(graph, place):
    """A design whose nodes have their first, middle or last folding, with queues."""
    foldings = {}
    for node in graph.nodes:
        legal = list(node.kernel.foldings())
        foldings[node.name] = legal[int(place * (len(legal) - 1))]
    return size_fifos(insert_width_converters(graph, foldings))


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("element", "branches", "place"),
    [
        (BIPOLAR, [[], [lambda kind: select(kind, 3, 0)]], 0),
        (Element(-8, 7), [[lambda kind: unit(kind, 6)], []], 0),  # extended by the sign
        (Element(0, 5), [[], [lambda kind: unit(kind, 2)]], 1),  # and by zeros
        (
            Element(0, 5),  # a slow branch between two that wait
            [[lambda kind: select(kind, 2)], [lambda kind: unit(kind, 5)], []],
            0.5,
        ),
    ],
)
def test_rtl(element, branches, place, tmp_path):
    graph = joined(TensorType((3, 4, 4), element), *branches)
    assert graph.nodes[-1].kernel.stem == "concat"
    prove_meeting(folded(graph, place), tmp_path)


def test_reference_puts_the_channels_side_by_side():
    kernel = concat((1, 2), (2, Element(0, 9)), (1, Element(-200, 0)))
    left, right = np.array([[[[1, 2], [3, 4]]]], np.uint8), np.array([[[[-150], [0]]]], np.int16)
    (pixels,) = kernel.reference(left, right)
    assert pixels.tolist() == [[[[1, 2, -150], [3, 4, 0]]]]


def test_output_range_holds_all_operands():
    kernel = concat((2, 2), (2, Element(-3, 1)), (3, Element(0, 9)), (1, Element(4, 4)))
    assert kernel.outputs == (TensorType((2, 2, 6), Element(-3, 9)),)
    assert kernel.input_lanes(Folding(6, 6)) == (2, 3, 1)
    assert concat((1, 1), (2, BIPOLAR), (3, BIPOLAR)).outputs[0].element == BIPOLAR


def test_every_operand_is_converted_to_the_lanes_of_its_channels():
    graph = joined(TensorType((2, 3, 4), Element(-2, 1)), [], [lambda kind: unit(kind, 6)])
    design = insert_width_converters(
        graph, Space(graph, {}).cheapest(24, usual_weights(300)).foldings
    )
    (last,) = (stage for stage in design.stages if stage.name == "concat_0")
    streams = {stream.tensor: stream for stream in design.streams}
    assert [streams[name].lanes for name in last.node.inputs] == [4, 6]
    assert streams[last.node.outputs[0]].lanes == 10


@pytest.mark.parametrize(
    ("shapes", "elements", "message"),
    [
        ([(2, 2, 1)], [BIPOLAR], "two operands or more, not 2x2x1 bipolar"),
        ([], [], "two operands or more, not none"),
        (
            [(2, 2, 1), (2, 3, 1)],
            [BIPOLAR, BIPOLAR],
            "one height and width, not 2x2x1 bipolar, 2x3x1 bipolar",
        ),
        (
            [(2, 2, 1), (2, 2, 1)],
            [BIPOLAR, Element(0, 1)],
            r"bits only or integers only, not 2x2x1 bipolar, 2x2x1 \[0, 1\]",
        ),
    ],
)
def test_illegal_operands_are_refused(shapes, elements, message):
    with pytest.raises(ValueError, match=f"Concat needs (frames of )?{message}"):
        Concat(tuple(map(TensorType, shapes, elements)))
