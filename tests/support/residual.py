# SPDX-License-Identifier: BSD-3-Clause
"""Random residual graphs of kernels, with random weights: nested and unequal branches."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from bonn_hw.frontend.graph_builder import GraphBuilder
from bonn_hw.ir.graph import DataflowGraph
from bonn_hw.ir.tensor import Element, TensorType
from bonn_hw.kernels.add import Add
from bonn_hw.kernels.average_pool import AveragePool
from bonn_hw.kernels.combine import Combine
from bonn_hw.kernels.concat import Concat
from bonn_hw.kernels.copy_channels import CopyChannels
from bonn_hw.kernels.mvu import Mvu
from bonn_hw.kernels.pad import Pad
from bonn_hw.kernels.sliding_window import SlidingWindow
from bonn_hw.kernels.threshold import Threshold
from bonn_hw.kernels.upsample import Upsample

SIDES = st.integers(2, 5)


def convolution(builder: GraphBuilder, random: np.random.Generator, kernel: int) -> None:
    """A block's long branch: threshold, padded binary convolution, integer sums; shape stays."""
    height, width, channels = builder.kind.shape
    element = builder.kind.element
    levels = random.integers(element.low, element.high + 2, channels)
    builder.add(Threshold(builder.kind, levels, random.random(channels) < 0.3), "threshold")
    before = (kernel - 1) // 2
    pads = (before, before, kernel - 1 - before, kernel - 1 - before)
    if any(pads):
        builder.add(Pad(builder.kind, pads, -1), "pad")
    if kernel > 1:
        builder.add(SlidingWindow(builder.kind, (kernel, kernel), (1, 1)), "window")
    wide = builder.kind.shape[2]
    weights = random.choice([-1, 1], (channels, wide)).astype(np.int8)
    offsets = random.integers(-3, 4, (1, channels))
    rows, columns = (0,) * height, (0,) * width
    unit = Mvu((height, width), builder.kind.element, weights, None, offsets, rows, columns)
    builder.add(unit, "convolution")


JOINS = ("sum", "subtract", "multiply", "maximum", "concat", "gate")


def residual_block(
    builder: GraphBuilder,
    draw,
    random: np.random.Generator,
    nesting: int,
    joins: tuple[str, ...] = JOINS,
) -> None:
    """Fork into two or three branches, give each some layers, join them."""
    branches = builder.fork(draw(st.integers(2, 3)), "fork")
    for branch in branches[:-1]:
        for _ in range(draw(st.integers(0, 2))):
            if nesting and draw(st.booleans()):
                residual_block(branch, draw, random, nesting - 1, joins)
            else:
                convolution(branch, random, draw(st.integers(1, 3)))
    first, *others = branches[:: draw(st.sampled_from((1, -1)))]
    for other in others:
        join(first, other, draw(st.sampled_from(joins)), random)
    builder.kind, builder.tensor = first.kind, first.tensor


def join(first: GraphBuilder, other: GraphBuilder, kind: str, random: np.random.Generator) -> None:
    """Join two branches; the shape stays."""
    if kind == "sum":
        first.add(Add(first.kind, other.kind), "sum", other)
    elif kind == "concat":
        channels = first.kind.shape[2]
        first.add(Concat((first.kind, other.kind)), "concat", other)
        first.add(CopyChannels(first.kind, random.integers(0, 2 * channels, channels)), "copies")
    else:
        frame = first.kind.shape[:2]
        if kind == "gate":  # a frame waits until the sums of another are known
            other.add(AveragePool(other.kind, frame), "squeeze")
            other.add(Upsample(other.kind, frame), "excite")
            kind = "minimum"
        first.add(Combine(first.kind, other.kind, kind), kind, other)


@st.composite
def residual_graphs(draw, joins: tuple[str, ...] = JOINS) -> DataflowGraph:
    """One or two blocks, maybe nested, on small frames of few-bit integers."""
    element = draw(st.sampled_from((Element(-4, 3), Element(0, 7))))
    kind = TensorType((draw(SIDES), draw(SIDES), draw(st.integers(1, 4))), element)
    random = np.random.default_rng(draw(st.integers(0, 999)))
    builder = GraphBuilder(kind)
    for _ in range(draw(st.integers(1, 2))):
        residual_block(builder, draw, random, draw(st.integers(0, 1)), joins)
    return builder.graph()


def unequal_block(height: int = 6, width: int = 6, channels: int = 2) -> DataflowGraph:
    """One block with a 3x3 convolution on one branch and nothing on the other."""
    builder = GraphBuilder(TensorType((height, width, channels), Element(-8, 7)))
    long, short = builder.fork(2, "fork")
    convolution(long, np.random.default_rng(0), 3)
    long.add(Add(long.kind, short.kind), "sum", short)
    return long.graph()
