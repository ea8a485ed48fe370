# SPDX-License-Identifier: BSD-3-Clause
from dataclasses import replace

import numpy as np
import pytest

from bonn_hw.ir.graph import DataflowGraph, Node
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.add import Add
from bonn_hw.kernels.max_pool import MaxPool
from bonn_hw.kernels.pad import Pad
from bonn_hw.kernels.stream_fork import StreamFork

FRAME = TensorType((2, 2, 3), BIPOLAR)
PADDED = TensorType((4, 4, 3), BIPOLAR)
PAD = Node("pad_0", Pad(FRAME, (1, 1, 1, 1), -1), ("x",), ("padded",))
POOL = Node("max_pool_0", MaxPool(PADDED, (2, 2)), ("padded",), ("y",))
TENSORS = {"x": FRAME, "padded": PADDED, "y": TensorType((2, 2, 3), BIPOLAR)}

WORDS = TensorType((2, 2, 3), Element(-4, 3))
SUMS, MORE = (TensorType((2, 2, 3), Element(-4 * n, 3 * n)) for n in (2, 3))
FORK = Node("stream_fork_0", StreamFork(WORDS, 3), ("x",), ("a", "b", "c"))
LEFT = Node("add_0", Add(WORDS, WORDS), ("c", "a"), ("left",))
ALL = Node("add_1", Add(SUMS, WORDS), ("left", "b"), ("y",))
JOINED = {"x": WORDS, "a": WORDS, "b": WORDS, "c": WORDS, "left": SUMS, "y": MORE}


def test_run_does_not_depend_on_the_chunk():
    graph = DataflowGraph((PAD, POOL), TENSORS, "x", "y").check()
    frames = np.random.default_rng(0).choice([-1, 1], (7, 2, 2, 3))
    np.testing.assert_array_equal(graph.run(frames), frames)  # each pixel meets three -1
    np.testing.assert_array_equal(graph.run(frames, chunk=2), graph.run(frames))
    assert graph.run(frames[:0]).shape == (0, 2, 2, 3)


def test_several_inputs_and_outputs_of_a_node():
    graph = DataflowGraph((FORK, LEFT, ALL), JOINED, "x", "y").check()
    frames = np.random.default_rng(0).integers(-4, 4, (5, 2, 2, 3))
    assert [name for name, _ in graph.walk(frames)] == ["a", "b", "c", "left", "y"]
    np.testing.assert_array_equal(graph.run(frames, chunk=2), 3 * frames)


def test_values_outside_of_the_range_are_refused():
    graph = DataflowGraph((PAD, POOL), TENSORS, "x", "y")
    with pytest.raises(ValueError, match="input values leave the range of 2x2x3 bipolar"):
        graph.run(np.zeros((1, 2, 2, 3), int))


@pytest.mark.parametrize(
    ("nodes", "tensors", "message"),
    [
        ((POOL, PAD), TENSORS, "max_pool_0: tensor 'padded' has no producer before it"),
        ((PAD,), TENSORS, r"tensors without a consumer: \['padded'\]"),
        ((PAD, PAD), TENSORS, "node names must be unique"),
        (
            (PAD, POOL),
            TENSORS | {"padded": TensorType((4, 4, 3), Element(0, 1))},
            "pad_0: outputs 4x4x3 bipolar, not 4x4x3",
        ),
        (
            (PAD, POOL),
            TENSORS | {"x": TensorType((2, 2, 4), BIPOLAR)},
            "pad_0: needs 2x2x3 bipolar, but 'x' is 2x2x4 bipolar",
        ),
        ((FORK, LEFT), JOINED, r"tensors without a consumer: \['b', 'left'\]"),
        (
            (FORK, replace(LEFT, inputs=("a", "a")), ALL),
            JOINED,
            "add_0: tensor 'a' has another consumer",
        ),
        (
            (FORK, replace(LEFT, inputs=("x", "a")), ALL),
            JOINED,
            "add_0: tensor 'x' has another consumer",
        ),
        (
            (replace(FORK, outputs=("a", "b", "a")), LEFT, ALL),
            JOINED,
            "stream_fork_0: tensor 'a' has another producer",
        ),
        (  # also where the first one is consumed already
            (PAD, POOL, replace(PAD, name="pad_1", inputs=("y",))),
            TENSORS,
            "pad_1: tensor 'padded' has another producer",
        ),
    ],
)
def test_check_names_what_is_wrong(nodes, tensors, message):
    with pytest.raises(ValueError, match=message):
        DataflowGraph(nodes, tensors, "x", "y").check()
