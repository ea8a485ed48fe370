# SPDX-License-Identifier: BSD-3-Clause
"""QuantizeLinear and DequantizeLinear (QDQ and QCDQ files): between them are integers.

The integers stay floats here, with the same values: the operators between become those of floats
(`integer_tensors`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.attributes import integer
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.model import QuantGrid
from bonn_hw.frontend.operator import Kind, Operator, StandardOnnx, trials
from bonn_hw.frontend.quantiser_steps import Steps

RANGES = {
    "int2": (-2, 1),
    "uint2": (0, 3),
    "int4": (-8, 7),
    "uint4": (0, 15),
    "int8": (-128, 127),
    "uint8": (0, 255),
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
}


def quantize(node: NodeProto, constants: Mapping[str, Array], opset: int) -> StandardOnnx:
    """Translate a QuantizeLinear: scale, round to even, shift by the zero point, saturate."""
    scale, zero, kind = parameters(node, constants)
    if kind not in RANGES:
        raise UnsupportedModel(
            f"{node.name}: quantises to {kind}, which is not supported; use one of "
            f"{', '.join(RANGES)}"
        )
    low, high = RANGES[kind]
    steps = Steps(node, opset).add_constant("Div", "scale", scale)
    steps.clip(low - zero, high - zero).round("Round")
    if zero:
        steps.add_constant("Add", "zero", np.asarray(zero, np.float32))
    grid = QuantGrid(np.ones((), np.float32), low, high)
    return steps.finish(grid, trials((0, low - zero, high - zero), np.asarray(scale)))


def dequantize(node: NodeProto, constants: Mapping[str, Array], opset: int) -> StandardOnnx:
    """Translate a DequantizeLinear of computed integers."""
    scale, zero, kind = parameters(node, constants)
    steps = Steps(node, opset)
    if zero:
        steps.add_constant("Sub", "zero", np.asarray(zero, np.float32))
    steps.add_constant("Mul", "scale", scale)
    low, high = RANGES.get(kind, (0, 0))
    tried = np.unique(np.linspace(low, high, 256).round()).astype(np.float32)
    return steps.finish(None, tried)


def parameters(
    node: NodeProto, constants: Mapping[str, Array]
) -> tuple[NDArray[np.float32], int, str]:
    """Scale, zero point and the type of the integers; UnsupportedModel if they are not single."""
    if len(node.input) < 2 or not node.input[1]:
        raise UnsupportedModel(f"{node.name}: {node.op_type} lacks its scale; export it again")
    for name in node.input[1:]:
        if name and name not in constants:
            raise UnsupportedModel(
                f"{node.name}: the parameter {name!r} of {node.op_type} is computed from the "
                "data; quantisers need constant parameters"
            )
    scale = np.asarray(constants[node.input[1]], np.float32)
    zero = np.zeros((), np.uint8)
    if len(node.input) > 2 and node.input[2]:
        zero = np.asarray(constants[node.input[2]])
    kind = str(zero.dtype)
    if len(node.input) < 3 and (given := integer(node, "output_dtype", 0)):
        if given not in TensorProto.DataType.values():
            raise UnsupportedModel(f"{node.name}: the type {given} is not known; export it again")
        kind = str(np.dtype(helper.tensor_dtype_to_np_dtype(given)))
    if not np.isfinite(scale).all() or not (scale > 0).all():
        raise UnsupportedModel(f"{node.name}: the scale of a quantiser must be positive and finite")
    if (
        not scale.size
        or not zero.size
        or (scale != scale.flat[0]).any()
        or (zero != zero.flat[0]).any()
    ):
        raise UnsupportedModel(
            f"{node.name}: quantises with a scale per channel; use one scale for all channels"
        )
    return scale.reshape(-1)[0].reshape(()), int(zero.reshape(-1)[0]), kind


def constant_grid(node: NodeProto, constants: Mapping[str, Array]) -> QuantGrid | None:
    """The grid of a DequantizeLinear of constant integers, such as weights."""
    integers = np.asarray(constants[node.input[0]]).astype(np.int64)
    scale = np.asarray(constants[node.input[1]], np.float32)
    zero = np.zeros(1, np.int64)
    if len(node.input) > 2 and node.input[2]:
        zero = np.asarray(constants[node.input[2]]).astype(np.int64)
    axis = integer(node, "axis", 1)
    if scale.size > 1:
        if integer(node, "block_size", 0) or scale.ndim != 1:
            return None
        if not -integers.ndim <= axis < integers.ndim:
            return None
        shape = [1] * integers.ndim
        shape[axis] = -1
        scale = scale.reshape(shape)
    else:
        scale = scale.reshape(())
    if not integers.size or not (scale > 0).all():
        return None
    low, high = int(integers.min() - zero.max()), int(integers.max() - zero.min())
    return QuantGrid(scale, low, high) if max(-low, high) < 1 << 24 else None


def by_onnx(node: NodeProto, kind: str) -> list[NodeProto]:
    """The node itself, but between floats, to be compared with its translation."""
    copy = NodeProto.FromString(node.SerializeToString())
    if node.op_type == "QuantizeLinear":
        copy.output[0] = f"{node.output[0]}/typed"
        back = helper.make_node("Cast", copy.output, node.output, to=TensorProto.FLOAT)
        return [copy, back]
    copy.input[0] = f"{node.input[0]}/typed"
    typed = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    return [helper.make_node("Cast", node.input[:1], copy.input[:1], to=typed), copy]


OPERATORS = (
    Operator(
        ("QuantizeLinear",),
        Kind.QUANTISER,
        "to 2 to 16 bits, with one scale and zero point; a `Clip` of the integers narrows them "
        "(QCDQ)",
        rewrite=quantize,
        onnx=True,
    ),
    Operator(
        ("DequantizeLinear",),
        Kind.QUANTISER,
        "of computed integers with one scale; of constant ones (weights, biases) by channel too",
        rewrite=dequantize,
        onnx=True,
    ),
)
