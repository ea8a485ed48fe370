# SPDX-License-Identifier: BSD-3-Clause
"""QONNX's quantisers as standard ONNX: the same float32 operations in the same order.

Follows the definitions of qonnx 1.0 (``custom_op/general``): ``bipolar_quant.py``, ``intquant.py``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.attributes import integer, text
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.model import QuantGrid
from bonn_hw.frontend.operator import Kind, Operator, StandardOnnx

ONE_BIT = (
    "for 1-bit weights Brevitas needs a binary quantiser, such as SignedBinaryWeightPerTensorConst"
)
ROUNDING = {"ROUND": "Round", "HALF_EVEN": "Round", "CEIL": "Ceil", "FLOOR": "Floor"}


def bipolar_quant(node: NodeProto, constants: Mapping[str, Array], opset: int) -> StandardOnnx:
    """Translate a BipolarQuant: its scale where the input is at least 0, minus its scale below."""
    (scale,) = _parameters(node, constants, 1)
    return _bipolar(node, scale)


def quant(node: NodeProto, constants: Mapping[str, Array], opset: int) -> StandardOnnx:
    """Translate a Quant: scale, shift by the zero point, clip, round, and back."""
    scale, zero, bits = _parameters(node, constants, 3)
    signed, narrow = bool(integer(node, "signed", 1)), bool(integer(node, "narrow", 0))
    if bits.size != 1 or not 1 <= float(bits.reshape(-1)[0]) <= 24 or bits.reshape(-1)[0] % 1:
        raise UnsupportedModel(
            f"{node.name}: a bit width of {bits.tolist()} is not supported; use 1 to 24"
        )
    width = int(bits.reshape(-1)[0])
    if width == 1 and signed:  # as in qonnx, for any zero point
        return _bipolar(node, scale)
    rounding = text(node, "rounding_mode", "ROUND").upper()
    if rounding not in ROUNDING:
        raise UnsupportedModel(f"{node.name}: rounding mode {rounding} is not supported; use ROUND")
    if zero.size != 1 or zero.reshape(-1)[0] % 1:
        raise UnsupportedModel(
            f"{node.name}: the zero point {zero.tolist()} is not one integer; use 0"
        )
    low = -(2 ** (width - 1)) + narrow if signed else 0
    high = 2 ** (width - 1) - 1 if signed else 2**width - 1 - narrow
    return _integer(node, scale, zero, (low, high), ROUNDING[rounding], opset)


def _parameters(
    node: NodeProto, constants: Mapping[str, Array], count: int
) -> list[NDArray[np.float32]]:
    """The parameters of a quantiser: its inputs after the first, the scale first."""
    missing = [name for name in node.input[1:] if name not in constants]
    if missing:
        raise UnsupportedModel(
            f"{node.name}: the parameter {missing[0]!r} of {node.op_type} is computed from the "
            "data; quantisers need constant parameters"
        )
    if len(node.input) != 1 + count:
        raise UnsupportedModel(
            f"{node.name}: {node.op_type} has {len(node.input)} inputs; export it again"
        )
    parameters = [np.asarray(constants[name], np.float32) for name in node.input[1:]]
    if not all(np.isfinite(value).all() for value in parameters) or not (parameters[0] > 0).all():
        # Brevitas gives 1-bit weights of its integer quantisers an infinite scale.
        remedy = f"; {ONE_BIT}" if count == 1 and node.input[0] in constants else ""
        raise UnsupportedModel(
            f"{node.name}: the scale of a quantiser must be positive and finite{remedy}"
        )
    return parameters


def _bipolar(node: NodeProto, scale: NDArray[np.float32]) -> StandardOnnx:
    (x, y), name = (node.input[0], node.output[0]), node.name or node.output[0]
    constants: dict[str, Array] = {
        # x > this means x >= 0, which old operator sets lack; NaN becomes −scale, as in qonnx.
        f"{y}/below": np.array(-1.4e-45, np.float32),
        f"{y}/positive": np.float32(1) * scale,
        f"{y}/negative": np.float32(-1) * scale,
    }
    below, positive, negative = constants
    nodes = (
        helper.make_node("Greater", [x, below], [f"{y}/above"], f"{name}/above"),
        helper.make_node("Where", [f"{y}/above", positive, negative], [y], name),
    )
    return StandardOnnx(nodes, constants, QuantGrid(scale, -1, 1, bipolar=True))


def _integer(
    node: NodeProto,
    scale: NDArray[np.float32],
    zero: NDArray[np.float32],
    bounds: tuple[int, int],
    rounding: str,
    opset: int,
) -> StandardOnnx:
    y, name = node.output[0], node.name or node.output[0]
    constants: dict[str, Array] = {
        f"{y}/scale": scale,
        f"{y}/zero": zero.reshape(()),
        f"{y}/high": np.array(bounds[1], np.float32),
        f"{y}/low": np.array(bounds[0], np.float32),
        # Below operator set 11 there is no Round; adding 1.5 * 2**23 rounds half to even.
        f"{y}/magic": np.array(12582912, np.float32),
    }
    by_scale, by_zero, high, low, magic = constants
    steps = [("Div", by_scale), ("Add", by_zero), ("Min", high), ("Max", low)]
    if rounding == "Round" and opset < 11:
        steps += [("Add", magic), ("Sub", magic)]
    else:
        steps += [(rounding, "")]
    steps += [("Sub", by_zero), ("Mul", by_scale)]
    nodes, current = [], node.input[0]
    for place, (kind, other) in enumerate(steps):
        last = place == len(steps) - 1
        fresh = y if last else f"{y}/{place}"
        inputs = [current, other] if other else [current]
        label = name if last else f"{name}/{place}"
        nodes.append(helper.make_node(kind, inputs, [fresh], label))
        current = fresh
    offset = int(zero.reshape(-1)[0])
    return StandardOnnx(
        tuple(nodes), constants, QuantGrid(scale, bounds[0] - offset, bounds[1] - offset)
    )


OPERATORS = (
    Operator(
        ("BipolarQuant",),
        Kind.QUANTISER,
        "−1 or +1, times a positive scale; of weights by channel too",
        rewrite=bipolar_quant,
    ),
    Operator(
        ("Quant", "IntQuant"),
        Kind.QUANTISER,
        "1 to 24 bits, signed or not, narrow or not, an integer zero point, rounding to even, up "
        "or down, one scale (of weights by channel too). The input needs one, or an annotation "
        "with its integer type",
        rewrite=quant,
    ),
)
