# SPDX-License-Identifier: BSD-3-Clause
"""Tensors of integers between QuantizeLinear and DequantizeLinear, as floats of the same values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from onnx import NodeProto

from bonn_hw.errors import InternalError
from bonn_hw.frontend import execute
from bonn_hw.frontend.attributes import Malformed
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.model import QuantGrid
from bonn_hw.frontend.operator import StandardOnnx
from bonn_hw.frontend.operators import quantize_linear, table

# Operators that take integers, and return some of them.
KEEPS = frozenset(
    ("Flatten", "Identity", "MaxPool", "Relu", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
)


class IntegerTensors:
    """Nodes that are translated one after the other, and the ranges of their integers.

    Attributes
    ----------
    grids : dict
        The grids of the tensors behind a DequantizeLinear.
    added : dict
        Constants of the new nodes.
    """

    def __init__(self, constants: Mapping[str, Array], opset: int) -> None:
        self._constants, self._opset = constants, opset
        self._ranges: dict[str, tuple[int, int]] = {}
        self.grids: dict[str, QuantGrid] = {}
        self.added: dict[str, Array] = {}

    def translated(self, nodes: Iterable[NodeProto]) -> list[NodeProto]:
        """Replace the operators on integers."""
        return [new for node in nodes for new in self._translated(node)]

    def _translated(self, node: NodeProto) -> list[NodeProto]:
        source = node.input[0] if node.input else ""
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            return self._quantiser(node)
        if source not in self._ranges:
            return [node]
        if node.op_type in KEEPS:
            self._ranges[node.output[0]] = self._ranges[source]
        return self._clip(node) if node.op_type == "Clip" else [node]

    def _quantiser(self, node: NodeProto) -> list[NodeProto]:
        operator = table()[node.op_type]
        if operator.rewrite is None:
            raise InternalError(f"{node.op_type} cannot be translated")
        standard = operator.rewrite(node, self._constants, self._opset)
        scale, zero, kind = quantize_linear.parameters(node, self._constants)
        self._check(node, standard, kind)
        self.added |= standard.constants
        if standard.grid is not None:
            self._ranges[node.output[0]] = (standard.grid.low, standard.grid.high)
        elif node.input[0] in self._ranges:
            low, high = self._ranges[node.input[0]]
            self.grids[node.output[0]] = QuantGrid(scale, low - zero, high - zero)
        return list(standard.nodes)

    def _clip(self, node: NodeProto) -> list[NodeProto]:
        """A Clip by constant integers, as one of floats."""
        copy, ends = (
            NodeProto.FromString(node.SerializeToString()),
            list(self._ranges[node.input[0]]),
        )
        for place in (1, 2):
            name = node.input[place] if len(node.input) > place else ""
            if name in self._constants:
                end = np.asarray(self._constants[name]).astype(np.float32)
                if end.size != 1:
                    raise Malformed(f"{node.name}: a bound of Clip has {end.size} numbers, not one")
                end = end.reshape(())
                copy.input[place] = f"{node.output[0]}/clip{place}"
                self.added[copy.input[place]] = end
                narrower = max if place == 1 else min
                ends[place - 1] = narrower(ends[place - 1], int(end))
        if ends[0] <= ends[1]:
            self._ranges[node.output[0]] = (ends[0], ends[1])
        return [copy]

    def _check(self, node: NodeProto, standard: StandardOnnx, kind: str) -> None:
        """Compare with ONNX Runtime's own operator."""
        feeds, output = {node.input[0]: standard.trials}, node.output[0]
        every = {**self._constants, **standard.constants}
        ours = execute.run(standard.nodes, feeds, output, every, self._opset)
        itself = quantize_linear.by_onnx(node, kind)
        if not np.array_equal(ours, execute.run(itself, feeds, output, every, self._opset)):
            raise InternalError(
                f"{node.name}: this {node.op_type} was read as another one. This is a bug of "
                "bonn_hw, not of the model: please report it with the model file"
            )
