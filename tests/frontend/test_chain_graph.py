# SPDX-License-Identifier: BSD-3-Clause
"""Graphs of chains from their shapes alone: kernels, constants, and shapes that leave nothing."""

import pytest

from bonn_hw.errors import UserError
from bonn_hw.frontend.chain_graph import ChainShape, chain_graph, of_convolutions
from bonn_hw.ir.tensor import BIPOLAR
from bonn_hw.kernels.mvu import Mvu


def shapes(graph):
    """Origin, name and output of each node."""
    return [(n.origin, n.name, n.kernel.outputs[0].shape) for n in graph.check().nodes]


def test_a_chain_from_its_shape():
    shape = ChainShape(
        in_channels=2, classes=6, convs=(3, 4, 5), pools=(2,), hidden=(7,), size=9,
        kernels=(3, 1), strides=(1, 2), padded=True,
    )  # fmt: skip
    graph = chain_graph(shape)
    assert shapes(graph) == [
        ("conv0", "pad_0", (11, 11, 2)),
        ("conv0", "sliding_window_0", (9, 9, 18)),
        ("conv0", "mvu_0", (9, 9, 3)),
        ("conv1", "sliding_window_1", (5, 5, 3)),
        ("conv1", "mvu_1", (5, 5, 4)),
        ("conv1_pool", "max_pool_0", (2, 2, 4)),
        ("conv2", "sliding_window_2", (1, 1, 4)),
        ("conv2", "mvu_2", (1, 1, 5)),
        ("fc0", "mvu_3", (1, 1, 7)),
        ("head", "mvu_4", (1, 1, 6)),
    ]
    assert graph.nodes[0].kernel.value == 0


def test_thresholds_take_the_most_bits_and_the_head_has_none():
    graph = chain_graph(ChainShape(convs=(3, 4), pools=(), hidden=(), size=6, input="1-bit"))
    units = [node.kernel for node in graph.nodes if isinstance(node.kernel, Mvu)]
    for unit, wide in zip(units[:2], (9, 27), strict=True):
        assert unit.outputs[0].element == BIPOLAR and unit.offsets is None
        # Classes of bits around whose pads are -1: the corners, the edges and the middle.
        assert unit.thresholds.shape == (9, unit.outputs[0].shape[2])
        assert (unit.thresholds.min(), unit.thresholds.max()) == (-wide, wide + 1)
        assert unit.thresholds[0, 0] == -wide and unit.thresholds[-1, -1] == wide + 1
    head = units[2]
    assert head.thresholds is None and not head.offsets.any()
    assert head.outputs[0].shape == (1, 1, 10) and head.outputs[0].element != BIPOLAR
    pads = [node.kernel.value for node in graph.nodes if node.kernel.stem == "pad"]
    assert pads == [-1, -1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 3}, None),
        ({"size": 2}, r"a 3x3 window of conv0 does not fit 2x2 pixels; every feature map"),
        ({"size": 4, "pools": (1,)}, None),
        ({"size": 3, "pools": (1,)}, r"images of 3x3 pixels leave nothing behind conv0; every"),
        ({"size": 9, "pools": (2,)}, r"network: 1 convolutions, and pools \[2\]"),
        ({"size": 9, "kernels": (3, 3)}, r"network: kernels \[3, 3\] must be one for all 1 conv"),
        ({"size": 9, "strides": ()}, r"network: strides \[\] must be one for all 1"),
    ],
)
def test_shapes_that_leave_nothing(options, message):
    shape = ChainShape(**{"convs": (2,), "pools": (), "padded": False, **options})
    if message is None:
        assert chain_graph(shape).check().nodes
        return
    with pytest.raises(UserError, match=message):
        chain_graph(shape)


def test_windows_of_convolutions():
    windows = of_convolutions(3, (5, 2), (2,), True)
    assert windows == [(5, 2, 2), (2, 2, 0), (2, 2, 0)]
    assert of_convolutions(2, (5,), (1,), False) == [(5, 1, 0)] * 2
    assert of_convolutions(0, (3,), (1,), True) == []
    small = ChainShape(convs=(4, 4), kernels=(2, 1), strides=(1,), padded=False)
    assert (small.plain.padded, small.plain.kernels, small.plain.strides) == (True, (2, 1), (1, 1))
    large = ChainShape(convs=(4, 4), padded=False)
    assert (large.plain.padded, large.plain.kernels, large.plain.strides) == (False, (3, 3), (1, 1))


def test_options_of_a_network():
    shape = ChainShape.of({"convs": [8, 12], "size": 12, "method": "bonn"})
    assert shape == ChainShape(convs=(8, 12), size=12)
