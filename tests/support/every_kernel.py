# SPDX-License-Identifier: BSD-3-Clause
"""One padded network that holds every kernel, for tools that all of them must pass."""

from __future__ import annotations

import numpy as np

from bonn_hw.frontend.graph_builder import GraphBuilder
from bonn_hw.ir.design import FoldedDesign
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.graph import DataflowGraph
from bonn_hw.ir.tensor import Element, TensorType
from bonn_hw.kernels.add import Add
from bonn_hw.kernels.average_pool import AveragePool
from bonn_hw.kernels.combine import Combine
from bonn_hw.kernels.concat import Concat
from bonn_hw.kernels.copy_channels import CopyChannels
from bonn_hw.kernels.depth_to_space import DepthToSpace
from bonn_hw.kernels.depthwise import Depthwise
from bonn_hw.kernels.label_select import LabelSelect
from bonn_hw.kernels.max_pool import MaxPool
from bonn_hw.kernels.multi_threshold import MultiThreshold
from bonn_hw.kernels.mvu import Mvu
from bonn_hw.kernels.pad import Pad
from bonn_hw.kernels.requantize import Requantize
from bonn_hw.kernels.sliding_window import SlidingWindow
from bonn_hw.kernels.threshold import Threshold
from bonn_hw.kernels.upsample import Upsample
from bonn_hw.passes.fifo_sizing import size_fifos
from bonn_hw.passes.width_conversion import insert_width_converters

SEED = 109  # of weights that give many different answers


def graph() -> DataflowGraph:
    """A padded convolution on true zeros, a residual block with another, pools, labels."""
    random = np.random.default_rng(SEED)
    end = GraphBuilder(TensorType((6, 6, 2), Element(-8, 7)))

    def sign(branch: GraphBuilder) -> None:
        levels = random.integers(-2, 3, branch.kind.shape[2])
        branch.add(Threshold(branch.kind, levels, levels > 0), "sign")

    def matrix(branch: GraphBuilder, high: int, *, bits: bool, border: bool = False) -> None:
        height, width, wide = branch.kind.shape
        inside = [(0, *[1] * (extent - 2), 2) for extent in (height, width)]
        rows, columns = inside if border else ((0,) * height, (0,) * width)
        weights = random.choice([-1, 1], (high, wide)).astype(np.int8)
        levels = random.integers(-4, 5, (9 if border else 1, high))
        chosen = (levels, None) if bits else (None, levels)
        unit = Mvu((height, width), branch.kind.element, weights, *chosen, rows, columns)
        branch.add(unit, "matrix")

    def convolution(branch: GraphBuilder, high: int, *, bits: bool, border: bool) -> None:
        branch.add(Pad(branch.kind, (1, 1, 1, 1), -1), "pad")
        branch.add(SlidingWindow(branch.kind, (3, 3), (1, 1)), "window")
        matrix(branch, high, bits=bits, border=border)

    sign(end)
    convolution(end, 6, bits=True, border=True)
    end.add(MaxPool(end.kind, (2, 2)), "pool")
    matrix(end, 4, bits=False)
    lines = np.array([[3], [2], [4], [3]]), np.array([[0], [4], [-2], [1]])
    end.add(Requantize(end.kind, Element(-4, 3), *lines, 2, True, 0), "quantizer")
    long, short, third, fourth = end.fork(4, "fork")
    sign(long)
    convolution(long, 4, bits=False, border=False)
    long.add(Pad(long.kind, (0, 0, 0, 1), 0), "pad")
    long.add(SlidingWindow(long.kind, (1, 2), (1, 1)), "window")
    taps = random.integers(-2, 2, (4, 1, 2)).astype(np.int8)
    long.add(Depthwise(long.kind.shape[:2], long.kind.element, taps), "depthwise")
    steps = np.sort(random.integers(-9, 10, (4, 15)), axis=1)
    falls = np.array([False, True, False, False])
    long.add(MultiThreshold(long.kind, Element(-8, 7), steps, falls), "staircase")
    long.add(CopyChannels(long.kind, np.array([1, 0, 2, 1])), "copies")
    short.add(Combine(short.kind, fourth.kind, "maximum"), "larger", fourth)
    long.add(Add(long.kind, short.kind), "sum", short)
    long.add(Concat((long.kind, third.kind)), "concat", third)
    long.add(AveragePool(long.kind, (1, 3)), "average")
    long.add(Upsample(long.kind, (1, 2)), "upsample")
    long.add(DepthToSpace(long.kind, (2, 1)), "pixels")
    matrix(long, 6, bits=False)
    long.add(LabelSelect(long.kind), "label")
    return long.graph()


def design() -> FoldedDesign:
    """The network, half of its parallelism used."""
    whole = graph()
    foldings = {}
    for node in whole.nodes:
        legal: list[Folding] = list(node.kernel.foldings())
        foldings[node.name] = legal[len(legal) // 2]
    return size_fifos(insert_width_converters(whole, foldings))
