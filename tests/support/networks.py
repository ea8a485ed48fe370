# SPDX-License-Identifier: BSD-3-Clause
"""Networks of kernels with random weights, for tests that need no model file."""

from __future__ import annotations

import numpy as np

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.graph import DataflowGraph, Node
from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.tensor import Element, TensorType
from bonn_hw.kernels.max_pool import MaxPool
from bonn_hw.kernels.mvu import Mvu
from bonn_hw.kernels.pad import Pad
from bonn_hw.kernels.sliding_window import SlidingWindow


class Chain:
    """Appends kernels to a chain; weights and thresholds are random."""

    def __init__(self, kind: TensorType, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.kind, self.tensor = kind, "input"
        self.tensors = {"input": kind}
        self.nodes: list[Node] = []

    def add(self, kernel: Kernel) -> None:
        name = f"{kernel.stem}_{sum(node.kernel.stem == kernel.stem for node in self.nodes)}"
        fresh = f"{name}_out"
        self.nodes.append(Node(name, kernel, (self.tensor,), (fresh,), f"layer of {name}"))
        (self.kind,), self.tensor = kernel.outputs, fresh
        self.tensors[fresh] = self.kind

    def matrix(self, high: int, *, dense: bool = False, last: bool = False) -> None:
        height, width, wide = self.kind.shape
        if dense:
            height, width, wide = 1, 1, height * width * wide
        weights = self.random.choice([-1, 1], (high, wide)).astype(np.int8)
        spread = np.sqrt(wide) * (1 if self.kind.element.bipolar else 70)
        levels = np.round(self.random.normal(0, spread / 2, (1, high))).astype(np.int64)
        chosen = (None, levels) if last else (levels, None)
        classes = ((0,) * height, (0,) * width)
        self.add(Mvu((height, width), self.kind.element, weights, *chosen, *classes))

    def convolution(self, high: int, kernel: int = 3, stride: int = 1, pad: int = 0) -> None:
        if pad:
            element = self.kind.element
            self.add(Pad(self.kind, (pad,) * 4, element.low if element.bipolar else 0))
        self.add(SlidingWindow(self.kind, (kernel, kernel), (stride, stride)))
        self.matrix(high)

    def pool(self, size: int = 2) -> None:
        self.add(MaxPool(self.kind, (size, size)))

    def graph(self) -> DataflowGraph:
        return DataflowGraph(tuple(self.nodes), self.tensors, "input", self.tensor).check()


def small_cnn(seed: int = 0) -> DataflowGraph:
    """A padded network of 8x8 frames: two convolutions, a pool, two dense layers."""
    chain = Chain(TensorType((8, 8, 1), Element(-8, 7)), seed)
    chain.convolution(6, pad=1)
    chain.convolution(8, pad=1)
    chain.pool()
    chain.matrix(12, dense=True)
    chain.matrix(5, last=True)
    return chain.graph()


def cnv(seed: int = 0) -> DataflowGraph:
    """CNV with random weights: the reference network of FINN, 32x32x3 inputs of 8 bits."""
    chain = Chain(TensorType((32, 32, 3), Element(-128, 127)), seed)
    for width, pooled in ((64, 0), (64, 1), (128, 0), (128, 1), (256, 0), (256, 0)):
        chain.convolution(width)
        if pooled:
            chain.pool()
    chain.matrix(512, dense=True)
    chain.matrix(512)
    chain.matrix(10, last=True)
    return chain.graph()


CNV_FINN_FOLDING = {
    f"mvu_{layer}": Folding(pe, simd)
    for layer, (pe, simd) in enumerate(
        [(16, 3), (32, 32), (16, 32), (16, 32), (4, 32), (1, 32), (1, 4), (1, 8), (5, 1)]
    )
}
