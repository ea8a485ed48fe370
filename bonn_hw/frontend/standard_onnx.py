# SPDX-License-Identifier: BSD-3-Clause
"""QONNX's own operators as standard ONNX: the same float32 operations in the same order."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from onnx import NodeProto

from bonn_hw.errors import InternalError, UnsupportedModel
from bonn_hw.frontend.attributes import Malformed
from bonn_hw.frontend.composites import DOMAIN
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.model import QuantGrid
from bonn_hw.frontend.operator import Kind, Operator, StandardOnnx
from bonn_hw.frontend.operators import operators, table
from bonn_hw.frontend.quantiser_check import check_quantiser

# Files of Brevitas, qonnx and FINN; the last but one is that of early exporters, which had none.
DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general", "", "ai.onnx")
STANDARD = ("", "ai.onnx")


def quantiser_of(node: NodeProto) -> Operator | None:
    """The quantiser of QONNX that a node is; None for a node of standard ONNX.

    Raises
    ------
    UnsupportedModel
        For another operator.
    """
    operator = table().get(node.op_type)
    known = operator is not None and operator.kind is Kind.QUANTISER and not operator.onnx
    if known and node.domain in DOMAINS:
        return operator
    if node.domain in (*STANDARD, DOMAIN):
        return None
    if node.domain not in DOMAINS:
        raise UnsupportedModel(
            f"{node.name}: operators of {node.domain!r} are not supported; use standard ONNX "
            "and QONNX's quantisers"
        )
    names = [
        name
        for one in operators()
        if one.kind is Kind.QUANTISER and not one.onnx
        for name in one.names
    ]
    raise UnsupportedModel(
        f"{node.name}: operator {node.op_type} of {node.domain} is not supported; use one of "
        f"{', '.join(names)}"
    )


def to_standard_onnx(
    node: NodeProto, constants: Mapping[str, Array], opset: int
) -> StandardOnnx | None:
    """Translate a quantiser; None for a node of standard ONNX, which stays as it is.

    Raises
    ------
    UnsupportedModel
        For another operator, or parameters that are not constants.
    """
    operator = quantiser_of(node)
    if operator is None or operator.rewrite is None:
        return None
    standard = operator.rewrite(node, constants, opset)
    if standard.grid is not None:
        _check_grid(node.name, standard.grid)
    check_quantiser(node, operator, standard, constants, opset)
    return standard


def by_definition(node: NodeProto, constants: Mapping[str, Array]) -> Array:
    """A quantiser of a constant, computed by qonnx's own function."""
    operator = quantiser_of(node)
    if operator is None or operator.definition is None:
        raise InternalError(f"{node.name}: {node.op_type} is no quantiser of qonnx")
    values, *given = (np.asarray(constants[name], np.float32) for name in node.input)
    try:
        return operator.definition(node, values, given)
    except ValueError as error:
        raise Malformed(str(error)) from error


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
