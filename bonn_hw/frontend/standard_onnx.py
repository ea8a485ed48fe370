# SPDX-License-Identifier: BSD-3-Clause
"""QONNX's own operators as standard ONNX: the same float32 operations in the same order."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from onnx import NodeProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.model import QuantGrid
from bonn_hw.frontend.operator import StandardOnnx
from bonn_hw.frontend.operators import table
from bonn_hw.frontend.quantiser_check import check_quantiser

DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")
STANDARD = ("", "ai.onnx")


def to_standard_onnx(
    node: NodeProto, constants: Mapping[str, Array], opset: int
) -> StandardOnnx | None:
    """Translate a quantiser; None for a node of standard ONNX, which stays as it is.

    Raises
    ------
    UnsupportedModel
        For another operator, or parameters that are not constants.
    """
    if node.domain in STANDARD:
        return None
    if node.domain not in DOMAINS:
        raise UnsupportedModel(
            f"{node.name}: operators of {node.domain!r} are not supported; use standard ONNX "
            "and QONNX's quantisers"
        )
    operator = table().get(node.op_type)
    if operator is None or operator.rewrite is None:
        raise UnsupportedModel(
            f"{node.name}: operator {node.op_type} of {node.domain} is not supported; use "
            "BipolarQuant or Quant"
        )
    standard = operator.rewrite(node, constants, opset)
    _check_grid(node.name, standard.grid)
    check_quantiser(node, standard, constants, opset)
    return standard


def _check_grid(name: str, grid: QuantGrid) -> None:
    """Refuse a quantiser whose values float32 does not hold with all digits."""
    floats, scale = np.finfo(np.float32), np.abs(grid.scale.astype(np.float64))
    integer = max(abs(grid.low), abs(grid.high))
    if integer >= 1 << 31:
        raise UnsupportedModel(
            f"{name}: quantises to integers from {grid.low} to {grid.high}, which are too large: "
            "use a zero point of 0"
        )
    if scale.size and not (scale.min() >= floats.tiny and scale.max() * integer <= floats.max):
        raise UnsupportedModel(
            f"{name}: quantises with a scale of {scale.min():g} to values of "
            f"{scale.max() * integer:g}, which float32 does not hold exactly (from "
            f"{floats.tiny:g} to {floats.max:g}): use scales nearer to 1"
        )
