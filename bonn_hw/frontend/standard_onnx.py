# SPDX-License-Identifier: BSD-3-Clause
"""QONNX's own operators as standard ONNX: the same float32 operations in the same order."""

from __future__ import annotations

from collections.abc import Mapping

from onnx import NodeProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.execute import Array
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
    check_quantiser(node, standard, constants, opset)
    return standard
