# SPDX-License-Identifier: BSD-3-Clause
"""A fork alone has no bench: its branches are added up again."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from bonn_hw.ir.design import FoldedDesign, Stage
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.graph import DataflowGraph, Node
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.add import Add
from bonn_hw.kernels.fifo import Fifo
from bonn_hw.kernels.max_pool import MaxPool
from bonn_hw.kernels.mvu import Mvu
from bonn_hw.kernels.stream_fork import StreamFork
from bonn_hw.timing.model import run
from tests.support.bench import FRAMES, STALLS, random_values, simulate_design
from tests.support.grids import Grid, Point, even, signed, unsigned

BITS = TensorType((4, 4, 6), BIPOLAR)
EXAMPLES = [
    StreamFork(BITS, 3),
]
ILLEGAL = [{"COPIES": 1}, {"WIDTH": 0}]


def points() -> Iterator[Point]:
    """Up to seven branches."""
    for element, copies in product((BIPOLAR, signed(4), unsigned(8)), (2, 3, 4, 7)):
        for lanes in (1, 16, 64):
            yield StreamFork(TensorType((2, 2, 64), element), copies), even(lanes)


GRID = Grid(points, step=9)


def meeting(kind, branches, lanes):
    """A fork, the kernels of each branch, and the sum of all branches, from left to right."""
    nodes, tensors = [], {"in": kind}

    def place(kernel, *inputs):
        name = f"{kernel.stem}_{len(nodes)}"
        outputs = tuple(f"{name}_{copy}" for copy in range(len(kernel.outputs)))
        nodes.append(Node(name, kernel, inputs, outputs, "bench"))
        tensors.update(zip(outputs, kernel.outputs, strict=True))
        return outputs

    ends = list(place(StreamFork(kind, len(branches)), "in"))
    for end, branch in enumerate(branches):
        for kernel in branch:
            (ends[end],) = place(kernel, ends[end])
    total, *others = ends
    for other in others:
        (total,) = place(Add(tensors[total], tensors[other]), total, other)
    graph = DataflowGraph(tuple(nodes), tensors, "in", total)
    return FoldedDesign(graph, tuple(Stage(node, Folding(lanes, lanes)) for node in nodes)).check()


def prove_meeting(design, folder):
    """As `bench.prove` does: outputs and cycles, unstalled; outputs under stalls."""
    frames = random_values(design.graph.tensors[design.graph.input], FRAMES)
    expected = design.graph.run(frames)
    assert design.graph.tensors[design.graph.output].element.holds(expected)
    for stall in STALLS:
        outcome = simulate_design(design, frames, folder, stall)
        np.testing.assert_array_equal(outcome.outputs, expected)
        if stall is None:
            timing = run(design, FRAMES)
            np.testing.assert_array_equal(outcome.run.output_cycles, timing.output_cycles)
    return timing


def matrix(kind, weights=None, offset=0):
    """A 1x1 convolution to as many integers; random weights, but a first neuron of +1 alone."""
    height, width, channels = kind.shape
    if weights is None:
        weights = np.random.default_rng(channels).choice([-1, 1], (channels, channels))
        weights[0] = 1
    offsets = np.full((1, len(weights)), offset)
    classes = ((0,) * height, (0,) * width)
    return Mvu((height, width), kind.element, weights.astype(np.int8), None, offsets, *classes)


INTEGERS = TensorType((3, 4, 6), Element(-8, 7))
BITS = TensorType((2, 3, 4), BIPOLAR)
DELAY = MaxPool(INTEGERS, (1, 1))


def at_night(*point):
    """Like another in structure, with other depths."""
    return pytest.param(*point, marks=pytest.mark.large)


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("branches", "lanes", "interval"),
    [
        ([[], []], 1, 72),
        ([[Fifo(INTEGERS, 2)], []], 6, 24),  # the short branch holds the fork
        at_night([[DELAY], [Fifo(INTEGERS, 2)]], 2, 36),
        at_night([[Fifo(INTEGERS, 5), DELAY], [DELAY, Fifo(INTEGERS, 2)]], 3, 24),
        ([[DELAY, DELAY], []], 2, 108),  # three cycles a beat
        at_night([[], [DELAY, DELAY]], 2, 108),
        at_night([[DELAY, DELAY], [Fifo(INTEGERS, 3)]], 2, 36),
        ([[matrix(INTEGERS)], [Fifo(INTEGERS, 9)]], 2, 108),
        at_night([[], [DELAY], [DELAY, DELAY]], 3, 48),
        ([[], [], []], 2, 72),  # the second sum is one beat late
        at_night([[], [], [Fifo(INTEGERS, 2)]], 2, 36),
        ([[matrix(INTEGERS)], [Fifo(INTEGERS, 6)], [Fifo(INTEGERS, 6)]], 3, 48),
        (
            [[matrix(INTEGERS)], [DELAY], [matrix(INTEGERS, offset=99)], []],
            6,
            72,
        ),  # six cycles a beat
    ],
)
def test_rtl(branches, lanes, interval, tmp_path):
    timing = prove_meeting(meeting(INTEGERS, branches, lanes), tmp_path)
    assert timing.interval == interval


@pytest.mark.rtl
@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_bits(lanes, tmp_path):
    branches = [[matrix(BITS)], [Fifo(BITS, 2), matrix(BITS, offset=3)]]
    prove_meeting(meeting(BITS, branches, lanes), tmp_path)


def test_reference_gives_every_copy_the_frames():
    frames = random_values(INTEGERS, 2)
    copies = StreamFork(INTEGERS, 3).reference(frames)
    assert len(copies) == 3
    for copy in copies:
        np.testing.assert_array_equal(copy, frames)
    assert StreamFork(INTEGERS, 3).outputs == (INTEGERS, INTEGERS, INTEGERS)


@pytest.mark.parametrize("copies", [1, 0, -1])
def test_illegal_forks_are_refused(copies):
    with pytest.raises(ValueError, match=f"a fork has at least 2 copies, not {copies}"):
        StreamFork(BITS, copies)
