# SPDX-License-Identifier: BSD-3-Clause
"""Operators that return a few values whatever their input is, as a quantiser does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from bonn_hw.frontend.common_scale import common_scale, multiples
from bonn_hw.frontend.model import Model, QuantGrid

COMPARISONS = frozenset(("Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not"))


def implicit_grid(node: NodeProto, model: Model) -> QuantGrid | None:
    """The grid of a node's output: of a Sign, or of the result of a comparison as numbers."""
    values = _values(node, model)
    scale = None if values is None else common_scale(values)
    if values is None or scale is None:
        return None
    integers = multiples(values, scale)
    if integers is None:
        return None
    ends = int(integers.min()), int(integers.max())
    return QuantGrid(np.asarray(scale), *ends, bipolar=sorted(integers.tolist()) == [-1, 1])


def _values(node: NodeProto, model: Model) -> NDArray[np.float32] | None:
    if node.op_type == "Sign":
        return np.array([-1, 0, 1], np.float32)
    made = next((one for one in model.nodes if node.input[0] in one.output), None)
    if made is None or made.op_type not in COMPARISONS:
        return None
    if node.op_type == "Cast":
        return np.array([0, 1], np.float32)
    if node.op_type == "Where":
        given = [model.constants[name] for name in node.input[1:] if name in model.constants]
        if len(given) == 2 and all(np.size(one) == 1 for one in given):
            return np.array([np.reshape(one, ()) for one in given], np.float32)
    return None
