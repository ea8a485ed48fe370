# SPDX-License-Identifier: BSD-3-Clause
"""Compare the operators of a quantiser with qonnx's own function, on values at its edges."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from bonn_hw.errors import InternalError
from bonn_hw.frontend import composites, execute
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.model import QuantGrid
from bonn_hw.frontend.operator import LARGEST, Operator, StandardOnnx


def check_quantiser(
    node: NodeProto,
    operator: Operator,
    standard: StandardOnnx,
    constants: Mapping[str, Array],
    opset: int,
) -> None:
    """Raise InternalError if a quantiser's operators or grid differ from qonnx's definition."""
    if operator.definition is None:
        raise InternalError(f"{node.op_type} has no definition to compare with")
    grid = standard.grid
    given = [np.asarray(constants[name], np.float32) for name in node.input[1:]]
    values = standard.trials
    every = {**constants, **standard.constants}
    every.pop(node.input[0], None)  # weights: their place is taken by the values
    ours = execute.run(
        composites.ranked(standard.nodes, values.ndim),
        {node.input[0]: values},
        node.output[0],
        every,
        opset,
    )
    expected = operator.definition(node, values, given)
    if not np.array_equal(ours, expected) or not (grid is None or _on_grid(ours, grid, node)):
        raise InternalError(
            f"{node.name}: this {node.op_type} was read as another quantiser than qonnx's. This is "
            "a bug of bonn_hw, not of the model: please report it with the model file"
        )


def _on_grid(values: NDArray[np.float32], grid: QuantGrid, node: NodeProto) -> bool:
    """Whether values are scales times integers; of quantisers that clip, also both ends."""
    integers = np.rint(values / grid.scale)
    if not (integers * grid.scale == values).all():
        return False
    if max(-grid.low, grid.high) > LARGEST:
        return True
    if node.op_type == "Trunc" and len(node.input) == 5:
        return True  # nothing is clipped
    return bool((integers.min(), integers.max()) == (grid.low, grid.high))
