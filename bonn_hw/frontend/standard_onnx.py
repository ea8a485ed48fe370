# SPDX-License-Identifier: BSD-3-Clause
"""QONNX's own operators, spelled in standard ONNX: the same float32 operations in the same order.

Follows the definitions of qonnx 1.0 (``custom_op/general``): ``bipolar_quant.py``, ``intquant.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.execute import Array

DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")
ROUNDING = {"ROUND": "Round", "HALF_EVEN": "Round", "CEIL": "Ceil", "FLOOR": "Floor"}


@dataclass(frozen=True)
class Grid:
    """What a quantiser gives: ``scale`` times an integer in [low, high] (bipolar: −1 or +1)."""

    scale: NDArray[np.float32]
    low: int
    high: int
    bipolar: bool = False


@dataclass(frozen=True)
class Spelled:
    """Standard nodes and constants in the place of one operator, and the grid of its output."""

    nodes: tuple[NodeProto, ...]
    constants: Mapping[str, Array]
    grid: Grid


def spell(node: NodeProto, constants: Mapping[str, Array], opset: int) -> Spelled:
    """Spell a BipolarQuant, Quant or IntQuant node.

    Raises
    ------
    UnsupportedModel
        For another operator, or parameters that are not constants.
    """
    if node.op_type not in ("BipolarQuant", "Quant", "IntQuant"):
        raise UnsupportedModel(
            f"{node.name}: operator {node.op_type} of {node.domain} is not supported; use "
            "BipolarQuant or Quant"
        )
    missing = [name for name in node.input[1:] if name not in constants]
    if missing:
        raise UnsupportedModel(
            f"{node.name}: the parameter {missing[0]!r} of {node.op_type} is computed from the "
            "data; quantisers need constant parameters"
        )
    if len(node.input) != (2 if node.op_type == "BipolarQuant" else 4):
        raise UnsupportedModel(
            f"{node.name}: {node.op_type} has {len(node.input)} inputs; export it anew"
        )
    parameters = [np.asarray(constants[name], np.float32) for name in node.input[1:]]
    if not all(np.isfinite(value).all() for value in parameters) or not (parameters[0] > 0).all():
        raise UnsupportedModel(f"{node.name}: the scale of a quantiser must be positive and finite")
    if node.op_type == "BipolarQuant":
        return _bipolar(node, parameters[0])
    scale, zero, bits = parameters
    attributes = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    signed, narrow = bool(attributes.get("signed", 1)), bool(attributes.get("narrow", 0))
    if bits.size != 1 or not 1 <= float(bits.reshape(-1)[0]) <= 24 or bits.reshape(-1)[0] % 1:
        raise UnsupportedModel(
            f"{node.name}: a bit width of {bits.tolist()} is not supported; use 1 to 24"
        )
    width = int(bits.reshape(-1)[0])
    if width == 1 and signed:  # as qonnx takes it, whatever the zero point
        return _bipolar(node, scale)
    rounding = attributes.get("rounding_mode", b"ROUND").decode().upper()
    if rounding not in ROUNDING:
        raise UnsupportedModel(f"{node.name}: rounding mode {rounding} is not supported; use ROUND")
    if zero.size != 1 or zero.reshape(-1)[0] % 1:
        raise UnsupportedModel(
            f"{node.name}: the zero point {zero.tolist()} is not one integer; use 0"
        )
    low = -(2 ** (width - 1)) + narrow if signed else 0
    high = 2 ** (width - 1) - 1 if signed else 2**width - 1 - narrow
    return _integer(node, scale, zero, (low, high), ROUNDING[rounding], opset)


def _bipolar(node: NodeProto, scale: NDArray[np.float32]) -> Spelled:
    (x, y), name = (node.input[0], node.output[0]), node.name or node.output[0]
    constants = {
        # x > this is x >= 0, which old operator sets lack; NaN gives the negative value, as qonnx.
        f"{y}/below": np.float32(-1.4e-45),
        f"{y}/positive": np.float32(1) * scale,
        f"{y}/negative": np.float32(-1) * scale,
    }
    below, positive, negative = constants
    nodes = (
        helper.make_node("Greater", [x, below], [f"{y}/above"], f"{name}/above"),
        helper.make_node("Where", [f"{y}/above", positive, negative], [y], name),
    )
    return Spelled(nodes, constants, Grid(scale, -1, 1, bipolar=True))


def _integer(
    node: NodeProto,
    scale: NDArray[np.float32],
    zero: NDArray[np.float32],
    bounds: tuple[int, int],
    rounding: str,
    opset: int,
) -> Spelled:
    y, name = node.output[0], node.name or node.output[0]
    constants = {
        f"{y}/scale": scale,
        f"{y}/zero": zero.reshape(()),
        f"{y}/high": np.float32(bounds[1]),
        f"{y}/low": np.float32(bounds[0]),
        # Below operator set 11 there is no Round; adding 1.5 * 2**23 rounds half to even.
        f"{y}/magic": np.float32(12582912),
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
    return Spelled(tuple(nodes), constants, Grid(scale, bounds[0] - offset, bounds[1] - offset))
