# SPDX-License-Identifier: BSD-3-Clause
"""One branch of the network being lowered: what each layer does to the value on its way."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend import activation as activations
from bonn_hw.frontend import execute, layers
from bonn_hw.frontend import pending_ops as chains
from bonn_hw.frontend.graph_builder import Matrix
from bonn_hw.frontend.padding import Geometry
from bonn_hw.frontend.pending_ops import ELEMENTWISE, SHAPE, Chain
from bonn_hw.frontend.value import NO_PADS, EarlyPad, Value

LARGEST_SUM = 1 << 24  # up to here float32 adds integers exactly, in any order
AVERAGES = frozenset(("AveragePool", "GlobalAveragePool", "ReduceMean"))
SUPPORTED = (
    "Conv, MatMul, Gemm, MaxPool, AveragePool, GlobalAveragePool, Pad, Add of two branches, and "
    "elementwise operators between them"
)


class Branch(Value):
    """A value and the layers that it goes through."""

    def take(self, node: NodeProto) -> None:
        """Go one node on."""
        if node.op_type in ELEMENTWISE | SHAPE:
            self.chain = self.chain.then(node, self.model)
        elif node.op_type == "Conv":
            self._convolution(node)
        elif node.op_type in ("MatMul", "Gemm"):
            self._dense(node)
        elif node.op_type == "MaxPool":
            self._pool(node)
        elif node.op_type in AVERAGES:
            self._average(node)
        elif node.op_type == "Pad":
            self._pad(node)
        elif node.op_type == "Gather":
            self._copies(node)
        else:
            raise UnsupportedModel(
                f"{node.name}: operator {node.op_type} is not supported here; the supported layers "
                f"are {SUPPORTED}"
            )

    def fork(self, takers: list[NodeProto]) -> list[Branch]:
        """Go on as one branch for each taker.

        What is quantised is settled once; other operators are applied by each branch for itself.
        """
        if self.early is not None or any(self.zeros):
            raise UnsupportedModel(
                f"{takers[0].name}: takes padded values that other layers take too; pad each branch"
            )
        if self.quantised():
            self.settle(takers[0])
        self.emit_sums()
        branches = []
        for emission in self.emission.fork(len(takers), self.source):
            branch = copy(self)
            branch.emission = emission
            branches.append(branch)
        return branches

    def join(self, node: NodeProto, other: Branch) -> None:
        """Add another branch."""
        for branch in (self, other):
            branch.settle(node)
            if branch.chain.bipolar:
                raise UnsupportedModel(
                    f"{node.name}: adds the bits of {branch.source}; quantise both branches to "
                    "several bits with one scale"
                )
        left, right = self.chain, other.chain
        if left.order.shape != right.order.shape or (left.order != right.order).any():
            raise UnsupportedModel(
                f"{node.name}: adds {self.source} of shape {left.order.shape} and {other.source} "
                f"of shape {right.order.shape}; only tensors of one shape and layout are added"
            )
        if left.scale[0] != right.scale[0]:
            raise UnsupportedModel(
                f"{node.name}: its branches lie on different grids: {self.source} gives multiples "
                f"of {left.scale[0]:g}, {other.source} of {right.scale[0]:g}; quantise both with "
                "one constant power-of-two scale, for example the same QuantIdentity before the "
                "addition"
            )
        self.emission.join(other.emission, node.name)
        low, high = left.low + right.low, left.high + right.high
        largest = np.maximum(np.abs(low), np.abs(high))
        # Two products and a sum, each rounded where the step is no power of two.
        error = np.where(_power_of_two(left.scale), 0.0, 3 * largest * 2.0**-24)
        self.chain = Chain(low, high, left.scale, error, left.order)

    # Layers.

    def _convolution(self, node: NodeProto) -> None:
        weights = layers.convolution(node, self.model)
        self.settle(node)
        kernel = (weights.values.shape[2], weights.values.shape[3])
        geometry = self._with_zeros(layers.windows(node, kernel, self.chain, self.model))
        element, (high, *_) = self.emission.kind.element, weights.values.shape
        zero = -1 if element.bipolar else 0
        if any(geometry.pads) and not element.holds(np.array([zero])):
            raise UnsupportedModel(
                f"{node.name}: pads with zero, which is outside of its input's range "
                f"[{element.low}, {element.high}]; widen the quantiser"
            )
        rows, columns = (0,) * geometry.pixels[0], (0,) * geometry.pixels[1]
        corrections = np.zeros((1, high), np.int64)
        if element.bipolar and any(geometry.pads):
            # The true zero: −1 is streamed, and the sum of the weights under it is added back.
            rows, columns, padded = geometry.classes()
            by_tap = weights.values.sum(axis=1, dtype=np.int64)
            corrections = np.einsum("kyx,myx->km", padded.astype(np.int64), by_tap)
        self.emission.windows(geometry, zero, node.name)
        flat = weights.values.transpose(0, 2, 3, 1).reshape(high, -1)
        border = (corrections, rows, columns)
        matrix = Matrix(geometry.pixels, element, flat, *border, origin=node.name)
        order = chains.canonical((*geometry.pixels, high))
        self._wait(node, matrix, weights.scale, order)

    def _dense(self, node: NodeProto) -> None:
        weights = layers.dense(node, self.model)
        self.settle(node)
        if self.chain.order.ndim != 1:
            raise UnsupportedModel(
                f"{node.name}: multiplies a tensor of {self.chain.order.ndim + 1} axes; flatten it "
                "before"
            )
        streamed = np.empty_like(weights.values)
        streamed[:, self.chain.order] = weights.values
        none = (np.zeros((1, len(streamed)), np.int64), (0,), (0,))
        element = self.emission.kind.element
        matrix = Matrix((1, 1), element, streamed, *none, origin=node.name)
        self._wait(node, matrix, weights.scale, np.arange(len(streamed), dtype=np.int64))

    def _wait(
        self,
        node: NodeProto,
        matrix: Matrix,
        scale: NDArray[np.float32],
        order: NDArray[np.int64],
    ) -> None:
        """Let a matrix layer wait for its activation, its own bias being the first operator."""
        low, high = matrix.bounds()
        product = (scale * self.chain.scale[0]).astype(np.float32)
        wide, largest = matrix.weights.shape[1], max(map(abs, (low.min(), high.max())))
        exact = _power_of_two(product) & (largest <= LARGEST_SUM)
        # Otherwise each of `wide` additions rounds a partial sum, which for random signs is of the
        # size of a few roots of `wide`.
        rounded = 4 * np.sqrt(wide) * float(largest) * 2.0**-24
        self.matrix = matrix
        self.chain = Chain(low, high, product, np.where(exact, 0.0, rounded), order)
        name = layers.bias_name(node)
        if name in self.model.constants:
            add = helper.make_node("Add", [f"{name}/sum", name], [node.output[0]], name)
            self.chain = self.chain.then(add, self.model)

    def _copies(self, node: NodeProto) -> None:
        """Compute neurons as often as their channels are read (pruning keeps one of alike ones)."""
        index = layers.copies(node, self.model)
        matrix, chain = self.matrix, self.chain
        if matrix is None or matrix.pools or chain.nodes:
            raise UnsupportedModel(
                f"{node.name}: picks channels of {self.source}; this is supported right behind a "
                "convolution only"
            )
        self.matrix = replace(
            matrix, weights=matrix.weights[index], corrections=matrix.corrections[:, index]
        )
        self.chain = Chain(
            chain.low[index],
            chain.high[index],
            chain.scale[index],
            chain.error[index],
            chains.canonical((*matrix.pixels, len(index))),
        )

    # Pools.

    def _pool(self, node: NodeProto) -> None:
        geometry = layers.windows(node, layers.pooling(node), self.chain, self.model)
        step = self.integer_step() if not self.quantised() else None
        if self.quantised() or (step is not None and step > 0):
            self.settle(node)
        else:
            self._pool_later(node, step)
        if self.matrix is not None:
            pools = (*self.matrix.pools, (geometry, node.name))
            self.matrix = replace(self.matrix, pools=pools)
        else:
            self.emission.pool(geometry, node.name)
        order = chains.canonical((*geometry.pixels, self.chain.channels))
        self.chain = self.chain.bridged(node, order, moved=True)

    def _pool_later(self, node: NodeProto, step: np.float32 | None) -> None:
        """Settle bits, or turn falling channels round: a maximum commutes with what rises."""
        table = self.chain.table(self.model)
        if step is not None:  # a falling multiple of the integers is no maximum of them
            self._rise(node, table)
            self.settle(node)
        elif activations.bipolar_size(self.chain, table) is not None:
            self.settle(node)
        else:
            self._rise(node, table)

    def _rise(self, node: NodeProto, table: NDArray[np.float32]) -> None:
        """Turn falling channels round: a maximum commutes with rising operators only."""
        if self.early or any(self.zeros):
            raise UnsupportedModel(
                f"{node.name}: pools values that were padded before; pad the pool instead"
            )
        falls = activations.falling_channels(node.name, self.chain, table)
        if not falls.any():
            return
        if self.matrix is None or self.matrix.pools:
            raise UnsupportedModel(
                f"{node.name}: pools channel {int(np.argmax(falls))}, which falls with the "
                "integers before; use positive scales there"
            )
        self.matrix = self.matrix.flipped(falls)
        low, high, scale = self.chain.low, self.chain.high, self.chain.scale
        self.chain = replace(
            self.chain,
            low=np.where(falls, -high, low),
            high=np.where(falls, -low, high),
            scale=np.where(falls, -scale, scale),
        )

    def _average(self, node: NodeProto) -> None:
        """Sum windows; the division is one of the operators that wait."""
        geometry = layers.averaging(node, self.chain, self.model)
        self.settle(node)
        if self.chain.bipolar:
            raise UnsupportedModel(f"{node.name}: averages bits; quantise to several bits before")
        step, (height, width) = self.chain.scale[0], geometry.kernel
        self.emission.average(geometry, node.name)
        element = self.emission.kind.element
        taps = np.float32(height * width)
        order = chains.canonical((*geometry.pixels, self.chain.channels))
        if node.op_type == "ReduceMean" and not layers.keeps_axes(node):
            order = order.reshape(-1)
        chain = Chain.of(element, self.chain.channels, step / taps, order)
        if not _power_of_two(taps).all():
            # The model divides once, and rounds there.
            sums = (chain.grid().astype(np.float32) * step).astype(np.float32)
            chain = replace(chain, values=self._divided(node, sums, geometry))
        self.chain = chain

    def _divided(
        self, node: NodeProto, sums: NDArray[np.float32], geometry: Geometry
    ) -> NDArray[np.float32]:
        """What the model's own average makes of windows with these sums, ``(R,)``."""
        windows = np.zeros((len(sums), 1, *geometry.kernel), np.float32)
        windows[:, 0, 0, 0] = sums
        feeds = {node.input[0]: windows}
        constants, opset = self.model.constants, self.model.opset
        return execute.run([node], feeds, node.output[0], constants, opset).reshape(-1)

    # Explicit padding.

    def _pad(self, node: NodeProto) -> None:
        """Pad settled bits and integers now, other values together with their activation."""
        pads, value = layers.explicit_padding(node, self.model)
        pending = self.matrix is not None and self.matrix.pools
        if self.chain.order.ndim != 3 or self.early or pending or any(self.zeros):
            raise UnsupportedModel(
                f"{node.name}: only one Pad of an image before a layer is supported"
            )
        _, height, width = self.chain.order.shape
        padded = Geometry((height, width), (1, 1), (1, 1), pads).padded
        if self.quantised() or self.integer_step() is not None:
            self.settle(node)
            self.emit_pad(node.name, (height, width), pads, float(value))
        else:
            self.early = EarlyPad(node.name, (height, width), pads, value, len(self.chain.nodes))
        order = chains.canonical((*padded, self.chain.channels))
        self.chain = self.chain.bridged(node, order)

    def _with_zeros(self, geometry: Geometry) -> Geometry:
        """Add an explicit Pad with the true zero to a convolution's own."""
        zeros, self.zeros = self.zeros, NO_PADS
        top, left, bottom, right = (a + b for a, b in zip(geometry.pads, zeros, strict=True))
        height, width = geometry.frame
        frame = (height - zeros[0] - zeros[2], width - zeros[1] - zeros[3])
        return replace(geometry, frame=frame, pads=(top, left, bottom, right))


def _power_of_two(values: NDArray[np.float32] | np.float32) -> NDArray[np.bool_]:
    return np.frexp(np.abs(values))[0] == 0.5
