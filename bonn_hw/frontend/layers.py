# SPDX-License-Identifier: BSD-3-Clause
"""Parameters of the layers as the model file states them: weights, windows, pads."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from bonn_hw.errors import Refused
from bonn_hw.frontend import chain as chains
from bonn_hw.frontend.chain import Chain
from bonn_hw.frontend.load import Model, attributes
from bonn_hw.frontend.padding import Geometry, Pads, explicit_pads

LARGEST_KERNEL = 7


@dataclass(frozen=True, eq=False)
class Weights:
    """Binary weights: ``signs`` ±1, output channels first, and one ``scale`` for each of them."""

    signs: NDArray[np.int8]
    scale: NDArray[np.float32]


def integers(node: NodeProto, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    """Return an attribute that is a list of integers."""
    value = attributes(node).get(name, default)
    return tuple(int(item) for item in value)


def convolution(node: NodeProto, model: Model) -> Weights:
    """Read the weights ``(MH, C, KH, KW)`` of a Conv; raise Refused for what is not supported."""
    values = _constant_weights(node, model)
    if values.ndim != 4:
        raise Refused(f"{node.name}: only convolutions over images (2 dimensions) are supported")
    group = attributes(node).get("group", 1)
    if group != 1:
        raise Refused(f"{node.name}: a convolution in {group} groups is not supported; use 1")
    if set(integers(node, "dilations", (1, 1))) != {1}:
        raise Refused(f"{node.name}: dilated convolutions are not supported; use dilation 1")
    if max(values.shape[2:]) > LARGEST_KERNEL:
        raise Refused(
            f"{node.name}: a kernel of {values.shape[2]}x{values.shape[3]} is too large; at most "
            f"{LARGEST_KERNEL}x{LARGEST_KERNEL}"
        )
    return _binary(node, values)


def dense(node: NodeProto, model: Model) -> Weights:
    """Read the weights ``(MH, MW)`` of a MatMul or Gemm, alpha included."""
    if [name in model.constants for name in node.input[:2]] != [False, True]:
        raise Refused(f"{node.name}: the weights must be the right operand of {node.op_type}")
    values, given = _constant_weights(node, model), attributes(node)
    if values.ndim != 2:
        raise Refused(f"{node.name}: weights of shape {values.shape} are no matrix")
    if given.get("transA", 0):
        raise Refused(f"{node.name}: transA is not supported; keep the batch axis first")
    weights = _binary(node, values if given.get("transB", 0) else values.T)
    alpha = np.float32(given.get("alpha", 1.0))
    return replace(weights, scale=weights.scale * alpha)


def bias(node: NodeProto, model: Model) -> NDArray[np.float32] | None:
    """Read the bias of a Conv or Gemm, beta included, ``(MH,)`` or ``(1,)``."""
    if len(node.input) < 3 or not node.input[2]:
        return None
    beta = np.float32(attributes(node).get("beta", 1.0))
    return beta * np.asarray(model.constants[node.input[2]], np.float32).reshape(-1)


def _constant_weights(node: NodeProto, model: Model) -> NDArray[np.float32]:
    name = node.input[1]
    if name not in model.constants:
        raise Refused(
            f"{node.name}: its weights {name!r} are computed from the data; they must be constants"
        )
    return np.asarray(model.constants[name], np.float32)


def _binary(node: NodeProto, values: NDArray[np.float32]) -> Weights:
    sizes = np.abs(values.reshape(len(values), -1))
    scale = sizes[:, 0]
    uneven = (sizes != sizes[:, :1]).any(axis=1) | ~(scale > 0) | ~np.isfinite(scale)
    if uneven.any():
        raise Refused(
            f"{node.name}: the weights of output channel {int(np.argmax(uneven))} take other "
            "values than plus and minus one size; only bipolar weights are supported: quantise "
            "them to 1 bit"
        )
    return Weights(np.where(values > 0, 1, -1).astype(np.int8), scale)


def windows(node: NodeProto, kernel: tuple[int, int], chain: Chain, model: Model) -> Geometry:
    """Read how a Conv or MaxPool moves over its input; raise Refused where it cannot be done."""
    if chain.order.ndim != 3:
        raise Refused(f"{node.name}: only images (channels, height, width) are supported here")
    _, height, width = chain.order.shape
    if not np.array_equal(chains.canonical((height, width, chain.channels)), chain.order):
        raise Refused(
            f"{node.name}: its input was transposed or reshaped from another layout; images must "
            "be in the order (channels, height, width)"
        )
    down, right = integers(node, "strides", (1, 1))
    top, left, bottom, end = integers(node, "pads", (0, 0, 0, 0))
    auto = attributes(node).get("auto_pad", b"NOTSET").decode()
    frame, stride = (height, width), (down, right)
    pads = explicit_pads(auto, (top, left, bottom, end), frame, kernel, stride)
    if min(pads) < 0:
        raise Refused(f"{node.name}: negative pads are not supported; crop the images before")
    geometry = Geometry(frame, kernel, stride, pads)
    pixels = model.shapes.get(node.output[0], (0, 0, 0))[1:]
    if min(geometry.pixels) < 1 or min(pixels) < 1:
        raise Refused(f"{node.name}: a {kernel[0]}x{kernel[1]} window does not fit its input")
    if attributes(node).get("ceil_mode", 0):
        # Windows that reach over the end: more padding there, never a maximum.
        extra = [
            max(0, (count - 1) * step + size - extent)
            for count, step, size, extent in zip(
                pixels, stride, kernel, geometry.padded, strict=True
            )
        ]
        geometry = replace(
            geometry, pads=(pads[0], pads[1], pads[2] + extra[0], pads[3] + extra[1])
        )
    return geometry


def pooling(node: NodeProto) -> tuple[int, int]:
    """Read the kernel of a MaxPool."""
    kernel = integers(node, "kernel_shape", ())
    if len(kernel) != 2:
        raise Refused(f"{node.name}: only pooling over images (2 dimensions) is supported")
    if set(integers(node, "dilations", (1, 1))) != {1} or len(node.output) > 1:
        raise Refused(f"{node.name}: dilated pooling and its indices are not supported")
    return kernel[0], kernel[1]


def explicit_padding(node: NodeProto, model: Model) -> tuple[Pads, np.float32]:
    """Read pads and value of a Pad operator."""
    given = attributes(node)
    mode = given.get("mode", b"constant").decode()
    if mode != "constant":
        raise Refused(
            f"{node.name}: pads in mode {mode!r}, which is none of the supported meanings; pad "
            "with a constant"
        )
    value = given.get("value", 0.0)
    if "pads" in given:  # below operator set 11
        amounts = integers(node, "pads", ())
    else:
        parameters = [model.constants.get(name) for name in node.input[1:3] if name]
        if len(node.input) > 3 or not parameters or any(item is None for item in parameters):
            raise Refused(f"{node.name}: pads and value of a Pad must be constants for all axes")
        amounts = tuple(int(item) for item in np.asarray(parameters[0]).reshape(-1))
        value = np.asarray(parameters[1]).reshape(-1)[0] if len(parameters) > 1 else 0.0
    if len(amounts) != 8 or any(amounts[i] for i in (0, 1, 4, 5)) or min(amounts) < 0:
        raise Refused(f"{node.name}: pads {list(amounts)} must add rows and columns only")
    return (amounts[2], amounts[3], amounts[6], amounts[7]), np.float32(value)
