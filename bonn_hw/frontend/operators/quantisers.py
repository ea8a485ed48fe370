# SPDX-License-Identifier: BSD-3-Clause
"""QONNX's quantisers as standard ONNX: the same float32 operations in the same order.

Follows the definitions of qonnx 1.0 (``custom_op/general``): ``bipolar_quant.py``, ``intquant.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.attributes import flag, text
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.model import QuantGrid
from bonn_hw.frontend.operator import Kind, NoGrid, Operator, StandardOnnx, trials
from bonn_hw.frontend.quantiser_steps import Steps, qonnx_rounding, rounding_of

ONE_BIT = (
    "for 1-bit weights Brevitas needs a binary quantiser, such as SignedBinaryWeightPerTensorConst"
)


def bipolar_quant(node: NodeProto, constants: Mapping[str, Array], opset: int) -> StandardOnnx:
    """Translate a BipolarQuant: its scale where the input is at least 0, minus its scale below."""
    (scale,) = parameters(node, constants, 1)
    return _bipolar(node, scale)


def quant(node: NodeProto, constants: Mapping[str, Array], opset: int) -> StandardOnnx:
    """Translate a Quant: scale, shift by the zero point, clip, round, and back."""
    scale, zero, bits = parameters(node, constants, 3)
    signed, narrow = flag(node, "signed", True), flag(node, "narrow", False)
    rounding = rounding_of(node, "ROUND")
    if bits.size != 1 or not 1 <= float(bits.reshape(-1)[0]) <= 24 or bits.reshape(-1)[0] % 1:
        raise NoGrid(f"{node.name}: a bit width of {bits.tolist()} is not supported; use 1 to 24")
    width = int(bits.reshape(-1)[0])
    if width == 1 and signed:
        if zero.any():  # qonnx gives -1 and +1 minus the zero point
            raise NoGrid(
                f"{node.name}: a signed quantiser of 1 bit has the zero point "
                f"{zero.reshape(-1).tolist()}; use 0"
            )
        return _bipolar(node, scale)
    if zero.size != 1 or zero.reshape(-1)[0] % 1:
        raise NoGrid(f"{node.name}: the zero point {zero.tolist()} is not one integer; use 0")
    low, high = bounds(width, signed, narrow)
    steps = Steps(node, opset)
    by_scale, by_zero = steps.constant("scale", scale), steps.constant("zero", zero.reshape(()))
    steps.add("Div", by_scale).add("Add", by_zero).clip(low, high).round(rounding)
    steps.add("Sub", by_zero).add("Mul", by_scale)
    offset = int(zero.reshape(-1)[0])
    grid = QuantGrid(scale, low - offset, high - offset)
    return steps.finish(grid, trials((0, grid.low, grid.high), scale))


def bounds(width: int, signed: bool, narrow: bool) -> tuple[int, int]:
    """Smallest and largest integer of a quantiser, as qonnx defines them."""
    if signed:
        return -(2 ** (width - 1)) + narrow, 2 ** (width - 1) - 1
    return 0, 2**width - 1 - narrow


def parameters(
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
    found = [np.asarray(constants[name], np.float32) for name in node.input[1:]]
    if not all(np.isfinite(value).all() for value in found) or not (found[0] > 0).all():
        # Brevitas gives 1-bit weights of its integer quantisers an infinite scale.
        remedy = f"; {ONE_BIT}" if count == 1 and node.input[0] in constants else ""
        raise UnsupportedModel(
            f"{node.name}: the scale of a quantiser must be positive and finite{remedy}"
        )
    return found


def _bipolar(node: NodeProto, scale: NDArray[np.float32]) -> StandardOnnx:
    x, y = node.input[0], node.output[0]
    constants: dict[str, Array] = {
        # x > this means x >= 0, which old operator sets lack; NaN becomes −scale, as in qonnx.
        f"{y}/below": np.array(-1.4e-45, np.float32),
        f"{y}/positive": np.float32(1) * scale,
        f"{y}/negative": np.float32(-1) * scale,
    }
    below, positive, negative = constants
    nodes = (
        helper.make_node("Greater", [x, below], [f"{y}/above"], f"{node.name}/above"),
        helper.make_node("Where", [f"{y}/above", positive, negative], [y], node.name),
    )
    grid = QuantGrid(scale, -1, 1, bipolar=True)
    return StandardOnnx(nodes, constants, grid, trials((-1, 0, 1), scale))


def _by_bipolar_quant(node: NodeProto, values: Array, given: Sequence[Array]) -> Array:
    from qonnx.custom_op.general.bipolar_quant import binary_quant

    return np.asarray(binary_quant(values, given[0]), np.float32)


def _by_int_quant(node: NodeProto, values: Array, given: Sequence[Array]) -> Array:
    from qonnx.custom_op.general.intquant import int_quant

    scale, zero, bits = given
    zero, bits = (one.reshape(()) if one.size == 1 else one for one in (zero, bits))
    signed, narrow = flag(node, "signed", True), flag(node, "narrow", False)
    rounding = qonnx_rounding(text(node, "rounding_mode", "ROUND"))
    return np.asarray(int_quant(values, scale, zero, bits, signed, narrow, rounding), np.float32)


OPERATORS = (
    Operator(
        ("BipolarQuant",),
        Kind.QUANTISER,
        "−1 or +1, times a positive scale; of weights by channel too",
        rewrite=bipolar_quant,
        definition=_by_bipolar_quant,
    ),
    Operator(
        ("Quant", "IntQuant"),
        Kind.QUANTISER,
        "1 to 24 bits, signed or not, narrow or not, an integer zero point, all rounding modes of "
        "qonnx, one scale (of weights by channel too); of biases any width. The input needs one, "
        "or an annotation with its integer type",
        rewrite=quant,
        definition=_by_int_quant,
    ),
)
