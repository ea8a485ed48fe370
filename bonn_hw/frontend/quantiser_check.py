# SPDX-License-Identifier: BSD-3-Clause
"""Compare the operators of a quantiser with qonnx's own function, on values at its edges."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from bonn_hw.errors import InternalError
from bonn_hw.frontend import execute
from bonn_hw.frontend.attributes import integer, text
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.operator import StandardOnnx

LARGEST = 1 << 22  # integers that every operator set rounds


def check_quantiser(
    node: NodeProto, standard: StandardOnnx, constants: Mapping[str, Array], opset: int
) -> None:
    """Raise InternalError if a quantiser's operators or grid differ from qonnx's definition."""
    grid, parameters = standard.grid, [np.asarray(constants[name]) for name in node.input[1:]]
    values = _values(node, grid.low, grid.high, [p.astype(np.float32) for p in parameters])
    feeds = {node.input[0]: values}
    every = {**constants, **standard.constants}
    every.pop(node.input[0], None)  # weights: their place is taken by the values
    ours = execute.run(standard.nodes, feeds, node.output[0], every, opset)
    expected = _by_qonnx(node, values, [p.astype(np.float32) for p in parameters])
    integers = np.rint(ours / grid.scale)
    ends = (grid.low, grid.high) if max(-grid.low, grid.high) <= LARGEST else ()
    same = np.array_equal(ours, expected) and (integers * grid.scale == ours).all()
    if not same or (ends and (integers.min(), integers.max()) != ends):
        raise InternalError(
            f"{node.name}: this {node.op_type} was read as another quantiser than qonnx's. This is "
            "a bug of bonn_hw, not of the model: please report it with the model file"
        )


def _values(
    node: NodeProto, low: int, high: int, parameters: list[NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Values round zero and both ends of the range, in quarters of a step."""
    near = np.arange(-2, 2.25, 0.25)
    steps = np.unique(np.concatenate([near, low + near, high + near]))
    steps = steps[np.abs(steps) <= LARGEST]
    scale = parameters[0]
    values = steps.reshape(-1, *[1] * max(1, scale.ndim)) * scale.astype(np.float64)
    rounded: NDArray[np.float32] = values.astype(np.float32)
    return rounded


def _by_qonnx(
    node: NodeProto, values: NDArray[np.float32], parameters: list[NDArray[np.float32]]
) -> Array:
    if node.op_type == "BipolarQuant":
        from qonnx.custom_op.general.bipolar_quant import binary_quant

        return np.asarray(binary_quant(values, parameters[0]), np.float32)
    from qonnx.custom_op.general.intquant import int_quant

    scale, zero, bits = parameters
    signed, narrow = integer(node, "signed", 1), integer(node, "narrow", 0)
    rounding = text(node, "rounding_mode", "ROUND")
    given = (values, scale, zero.reshape(()), bits.reshape(()), signed, narrow, rounding)
    return np.asarray(int_quant(*given), np.float32)
