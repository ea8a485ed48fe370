# SPDX-License-Identifier: BSD-3-Clause
"""Write a quantiser as a chain of standard ONNX operators."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend import composites
from bonn_hw.frontend.attributes import text
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.model import QuantGrid
from bonn_hw.frontend.operator import StandardOnnx

# qonnx's names of the rounding modes, and Brevitas' name of one that qonnx calls DOWN.
ROUNDING = {
    "ROUND": "Round",
    "HALF_EVEN": "Round",
    "CEIL": "Ceil",
    "FLOOR": "Floor",
    "UP": "RoundAwayFromZero",
    "DOWN": "RoundTowardsZero",
    "ROUND_TO_ZERO": "RoundTowardsZero",
    "HALF_UP": "RoundHalfAwayFromZero",
    "HALF_DOWN": "RoundHalfTowardsZero",
}
# Below operator set 11 there is no Round; adding 1.5 * 2**23 rounds half to even below 2**22.
MAGIC = np.array(12582912, np.float32)


def rounding_of(node: NodeProto, default: str) -> str:
    """The operator that rounds; raises UnsupportedModel for an unknown mode."""
    mode = text(node, "rounding_mode", default).upper()
    if mode not in ROUNDING:
        raise UnsupportedModel(
            f"{node.name}: rounding mode {mode} is not supported; use one of {', '.join(ROUNDING)}"
        )
    return ROUNDING[mode]


def qonnx_rounding(mode: str) -> str:
    """The name by which qonnx knows a rounding mode."""
    return "DOWN" if mode.upper() == "ROUND_TO_ZERO" else mode


class Steps:
    """A chain of operators that takes the place of one node."""

    def __init__(self, node: NodeProto, opset: int) -> None:
        self.node, self.opset = node, opset
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, Array] = {}

    @property
    def _label(self) -> str:
        return f"{self.node.name}/{len(self.nodes)}"

    @property
    def _last(self) -> str:
        last: str = self.nodes[-1].output[0] if self.nodes else self.node.input[0]
        return last

    def constant(self, name: str, value: Array) -> str:
        """Name a constant."""
        full = f"{self.node.output[0]}/{name}"
        self.constants[full] = value
        return full

    def add(self, kind: str, *others: str) -> Steps:
        """Append an operator on the last tensor and constants."""
        output = f"{self.node.output[0]}/{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, [self._last, *others], [output], self._label))
        return self

    def add_constant(self, kind: str, name: str, value: Array) -> Steps:
        """Append an operator on the last tensor and one constant."""
        return self.add(kind, self.constant(name, np.asarray(value)))

    def append(self, node: NodeProto) -> Steps:
        """Append a node that is made for `place`."""
        self.nodes.append(node)
        return self

    @property
    def place(self) -> tuple[str, str, str]:
        """Input, output and name of the next node."""
        return self._last, f"{self.node.output[0]}/{len(self.nodes)}", self._label

    def clip(self, low: int, high: int) -> Steps:
        """Append a clipping to integers."""
        upper = self.constant("high", np.array(high, np.float32))
        lower = self.constant("low", np.array(low, np.float32))
        return self.add("Min", upper).add("Max", lower)

    def round(self, kind: str) -> Steps:
        """Append a rounding of values below 2 ** 22; ``kind`` is a value of `ROUNDING`."""
        if kind in composites.ROUNDINGS:
            tensor, output, label = self.place
            return self.append(composites.rounding(kind, tensor, output, label))
        if kind == "Round" and self.opset < 11:
            magic = self.constant("magic", MAGIC)
            return self.add("Add", magic).add("Sub", magic)
        return self.add(kind)

    def finish(self, grid: QuantGrid | None, trials: NDArray[np.float32]) -> StandardOnnx:
        """The chain, which ends in the node's output."""
        last = self.nodes[-1]
        last.output[0], last.name = self.node.output[0], self.node.name
        return StandardOnnx(tuple(self.nodes), self.constants, grid, trials)
