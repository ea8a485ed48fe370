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
from bonn_hw.frontend.exact_sums import (
    LARGEST_SUM,
    Nodes,
    exactly_added,
    largest_error,
    power_of_two,
    usual_error,
)
from bonn_hw.frontend.graph_builder import Matrix
from bonn_hw.frontend.pending_ops import PendingOps, along, channel_axis
from bonn_hw.frontend.value import Value
from bonn_hw.frontend.weights import Weights


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

    def saved(self) -> Branch:
        """A copy that later layers do not change."""
        branch = copy(self)
        branch.context, branch.builder = self.context.copy(), self.builder.copied()
        return branch

    def in_layout(self) -> bool:
        """Whether no padding waits for the next layer."""
        return self.early_pad is None and not any(self.zero_pads)

    def add_matrix(
        self,
        node: NodeProto,
        matrix: Matrix,
        weights: Weights,
        given: NDArray[np.int16],
        order: NDArray[np.int64],
        bias: NDArray[np.float32] | None,
    ) -> None:
        """Add a matrix layer, pending until its activation; the bias is the first operator.

        Parameters
        ----------
        given : int16
            The integer weights in the layout of the node.
        order : int64, shape of the layer's output
            Index of each output element in the stream.
        bias : float32 ``(MH,)`` or None
        """
        unit, element = self.pending.scale[0], matrix.element
        low, high = matrix.bounds()
        with np.errstate(over="ignore", under="ignore"):
            scale = (weights.scale * weights.alpha * unit).astype(np.float32)
        _check_floats(node, matrix, scale, bias)
        inputs, largest = matrix.weights.shape[1], max(map(abs, (low.min(), high.max())))
        exact = power_of_two(weights.scale) & power_of_two(weights.alpha) & power_of_two(unit)
        exact = np.asarray(exact & (largest <= LARGEST_SUM))
        added = np.zeros(len(scale)) if bias is None else np.abs(bias / scale).astype(np.float64)
        whole = exact & exactly_added(added, float(largest))
        error = np.where(whole, 0.0, usual_error(inputs, largest + added))
        axis = channel_axis(order, len(scale)) or 0
        self.matrix, self.sums = matrix, (node.output[0], order)
        self.pending = PendingOps(low, high, scale, error, order)
        parts = Nodes(node, self.model.opset)
        if exact.all():
            parts.plain(self.tensor)
        else:
            integers = parts.integers(self.tensor, unit)
            if largest <= LARGEST_SUM:
                parts.scaled(parts.product(integers, given), scale, 1 + order.ndim, 1 + axis)
            else:
                reach = max(-element.low, element.high)
                parts.wide_product(integers, given, inputs, reach, scale)
        if bias is not None:
            name = f"{node.name}/bias"
            # It broadcasts over the pixels.
            constant = bias.reshape(along(axis, order.ndim))
            self.context.add_constant(name, constant)
            add = helper.make_node("Add", [f"{name}/sum", name], [node.output[0]], name)
            self.pending = self.pending.then(add, self.model)
            parts.end(f"{name}/sum")
            self.sums = (f"{name}/sum", order)
            parts.nodes.append(add)
            parts.constants[name] = constant
        else:
            parts.end(node.output[0])
        sizes = np.abs(matrix.weights).sum(axis=1, dtype=np.int64)
        sizes = sizes * max(-element.low, element.high) + added
        bound = largest_error(inputs + 8, sizes * np.abs(scale.astype(np.float64)))
        if not exact.all() or bias is not None:  # otherwise the node is as it is in the file
            bound = np.where(whole, 0.0, bound)
            self.context.parts.replace(
                node, parts, bound if axis == 0 else bound.max(keepdims=True)
            )

    def flip_falling_channels(self, node: NodeProto) -> None:
        """Turn the sign of channels whose values fall with the sum, by their weights.

        A maximum, which `node` takes, commutes with rising operators only.
        """
        if self.early_pad or any(self.zero_pads):
            raise UnsupportedModel(
                f"{node.name}: pools values that were padded before; pad the pool instead"
            )
        falls = activations.falling_channels(node.name, self.pending, self.model)
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


def _check_floats(
    node: NodeProto,
    matrix: Matrix,
    scale: NDArray[np.float32],
    bias: NDArray[np.float32] | None,
) -> None:
    """Refuse sums that overflow float32, or whose scale is so small that it has fewer digits."""
    floats, size = np.finfo(np.float32), np.abs(scale.astype(np.float64))
    terms = np.abs(matrix.weights).sum(axis=1, dtype=np.int64)
    largest = terms * size * max(-matrix.element.low, matrix.element.high)
    if bias is not None:
        if not np.isfinite(bias).all():
            raise UnsupportedModel(f"{node.name}: its bias holds NaN or infinity: train again")
        largest = largest + np.abs(bias)
    if not ((size >= floats.tiny) & (largest <= floats.max)).all():
        raise UnsupportedModel(
            f"{node.name}: its sums have a scale of {size.min():g} and reach {largest.max():g}, "
            f"which float32 does not hold exactly (from {floats.tiny:g} to {floats.max:g}): use "
            "scales nearer to 1"
        )
