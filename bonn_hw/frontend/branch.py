# SPDX-License-Identifier: BSD-3-Clause
"""One branch of the network during lowering, and the changes that operators make to it."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend import activation as activations
from bonn_hw.frontend.graph_builder import Matrix
from bonn_hw.frontend.pending_ops import PendingOps, power_of_two
from bonn_hw.frontend.value import Value

LARGEST_SUM = 1 << 24  # up to this size float32 adds integers exactly, in any order


class Branch(Value):
    """A value that passes through the layers of one branch."""

    def fork(self, consumers: list[NodeProto]) -> list[Branch]:
        """Continue as one branch per consumer.

        Quantised values are materialised once, before the fork. Other pending operators are applied
        by each branch on its own.
        """
        if self.early_pad is not None or any(self.zero_pads):
            raise UnsupportedModel(
                f"{consumers[0].name}: its input is padded and feeds other layers too; pad "
                "each branch"
            )
        if self.quantised():
            self.materialise(consumers[0])
        self.emit_sums()
        branches = []
        for builder in self.builder.fork(len(consumers), self.source):
            branch = copy(self)
            branch.builder = builder
            branches.append(branch)
        return branches

    def add_matrix(
        self,
        node: NodeProto,
        matrix: Matrix,
        scale: NDArray[np.float32],
        order: NDArray[np.int64],
        bias: NDArray[np.float32] | None,
    ) -> None:
        """Add a matrix layer, pending until its activation; the bias is the first operator.

        Parameters
        ----------
        scale : float32 ``(MH,)``
            Scale of the weights.
        order : int64, shape of the layer's output
            Index of each output element in the stream.
        bias : float32 ``(MH,)`` or None
        """
        low, high = matrix.bounds()
        product = (scale * self.pending.scale[0]).astype(np.float32)
        inputs, largest = matrix.weights.shape[1], max(map(abs, (low.min(), high.max())))
        exact = power_of_two(product) & (largest <= LARGEST_SUM)
        # Otherwise each of `inputs` additions rounds. For random signs the rounding errors add up
        # to a few times sqrt(inputs) roundings of the largest sum.
        rounded = 4 * np.sqrt(inputs) * float(largest) * 2.0**-24
        self.matrix = matrix
        self.pending = PendingOps(low, high, product, np.where(exact, 0.0, rounded), order)
        if bias is not None:
            name = f"{node.name}/bias"
            # It broadcasts over the pixels.
            self.context.add_constant(name, bias.reshape(-1, *[1] * (order.ndim - 1)))
            add = helper.make_node("Add", [f"{name}/sum", name], [node.output[0]], name)
            self.pending = self.pending.then(add, self.model)

    def flip_falling_channels(self, node: NodeProto, table: NDArray[np.float32]) -> None:
        """Turn the sign of channels whose `table` falls with the sum, by their weights.

        A maximum, which `node` takes, commutes with rising operators only.
        """
        if self.early_pad or any(self.zero_pads):
            raise UnsupportedModel(
                f"{node.name}: pools values that were padded before; pad the pool instead"
            )
        falls = activations.falling_channels(node.name, self.pending, table)
        if not falls.any():
            return
        if self.matrix is None or self.matrix.pools:
            raise UnsupportedModel(
                f"{node.name}: pools channel {int(np.argmax(falls))}, which falls with the "
                "integers before; use positive scales there"
            )
        self.matrix = self.matrix.computed().flipped(falls)
        low, high, scale = self.pending.low, self.pending.high, self.pending.scale
        self.pending = replace(
            self.pending,
            low=np.where(falls, -high, low),
            high=np.where(falls, -low, high),
            scale=np.where(falls, -scale, scale),
        )
