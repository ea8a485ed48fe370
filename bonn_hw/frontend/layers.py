# SPDX-License-Identifier: BSD-3-Clause
"""Parameters of the layers as the model file states them: weights, windows, pads."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend import pending_ops as chains
from bonn_hw.frontend.load import Model, attributes
from bonn_hw.frontend.padding import Geometry, Pads, explicit_pads
from bonn_hw.frontend.pending_ops import Chain

LARGEST_KERNEL = 7
LARGEST = 1 << 15  # size of a weight


@dataclass(frozen=True, eq=False)
class Weights:
    """Integer weights, output channels first, and one ``scale`` for each of these."""

    values: NDArray[np.int16]
    scale: NDArray[np.float32]


def integers(node: NodeProto, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    """Return an attribute that is a list of integers."""
    value = attributes(node).get(name, default)
    return tuple(int(item) for item in value)


def convolution(node: NodeProto, model: Model) -> Weights:
    """Read the weights ``(MH, C, KH, KW)`` of a Conv; raises UnsupportedModel."""
    values = _constant_weights(node, model)
    if values.ndim != 4:
        raise UnsupportedModel(
            f"{node.name}: only convolutions over images (2 dimensions) are supported"
        )
    group = attributes(node).get("group", 1)
    if group != 1:
        raise UnsupportedModel(
            f"{node.name}: a convolution in {group} groups is not supported; use 1"
        )
    if set(integers(node, "dilations", (1, 1))) != {1}:
        raise UnsupportedModel(
            f"{node.name}: dilated convolutions are not supported; use dilation 1"
        )
    if max(values.shape[2:]) > LARGEST_KERNEL:
        raise UnsupportedModel(
            f"{node.name}: a kernel of {values.shape[2]}x{values.shape[3]} is too large; at most "
            f"{LARGEST_KERNEL}x{LARGEST_KERNEL}"
        )
    return _quantised(node, values, model)


def dense(node: NodeProto, model: Model) -> Weights:
    """Read the weights ``(MH, MW)`` of a MatMul or Gemm, alpha included."""
    if [name in model.constants for name in node.input[:2]] != [False, True]:
        raise UnsupportedModel(
            f"{node.name}: the weights must be the right operand of {node.op_type}"
        )
    values, given = _constant_weights(node, model), attributes(node)
    if values.ndim != 2:
        raise UnsupportedModel(f"{node.name}: weights of shape {values.shape} are no matrix")
    if given.get("transA", 0):
        raise UnsupportedModel(f"{node.name}: transA is not supported; keep the batch axis first")
    weights = _quantised(node, values if given.get("transB", 0) else values.T, model)
    alpha = np.float32(given.get("alpha", 1.0))
    return replace(weights, scale=weights.scale * alpha)


def with_biases(model: Model) -> Model:
    """Add the biases of all matrix layers as constants that broadcast over pixels."""
    biases = {}
    for node in model.nodes:
        if node.op_type in ("Conv", "Gemm") and len(node.input) > 2 and node.input[2]:
            beta = np.float32(attributes(node).get("beta", 1.0))
            values = beta * np.asarray(model.constants[node.input[2]], np.float32).reshape(-1)
            pixels = (1, 1) if node.op_type == "Conv" else ()
            biases[bias_name(node)] = values.reshape(-1, *pixels)
    return replace(model, constants={**model.constants, **biases})


def bias_name(node: NodeProto) -> str:
    """Name of the constant that `with_biases` adds."""
    return f"{node.name}/bias"


def copies(node: NodeProto, model: Model) -> NDArray[np.int64]:
    """Read which channels a Gather picks."""
    name = node.input[1]
    if attributes(node).get("axis", 0) != 1 or name not in model.constants:
        raise UnsupportedModel(
            f"{node.name}: a Gather is supported with constant indices of channels only"
        )
    index = np.asarray(model.constants[name], np.int64)
    if index.ndim != 1:
        raise UnsupportedModel(
            f"{node.name}: indices of shape {index.shape} are no list of channels"
        )
    return index


def keeps_axes(node: NodeProto) -> bool:
    """Whether a ReduceMean keeps the axes that it reduces."""
    return bool(attributes(node).get("keepdims", 1))


def _constant_weights(node: NodeProto, model: Model) -> NDArray[np.float32]:
    name = node.input[1]
    if name not in model.constants:
        raise UnsupportedModel(
            f"{node.name}: its weights {name!r} are computed from the data; they must be constants"
        )
    return np.asarray(model.constants[name], np.float32)


def _quantised(node: NodeProto, values: NDArray[np.float32], model: Model) -> Weights:
    """Split weights into integers and scales: bipolar ones, or those of a quantiser."""
    sizes = np.abs(values.reshape(len(values), -1))
    scale = sizes[:, 0]
    uneven = (sizes != sizes[:, :1]).any(axis=1) | ~(scale > 0) | ~np.isfinite(scale)
    if not uneven.any():
        return Weights(np.where(values > 0, 1, -1).astype(np.int16), scale)
    grid = model.grids.get(node.input[1])
    steps = None if grid is None else grid.scale.reshape(-1)
    if steps is None or steps.size not in (1, len(values)) or max(-grid.low, grid.high) > LARGEST:
        raise UnsupportedModel(
            f"{node.name}: the weights of output channel {int(np.argmax(uneven))} take other "
            "values than plus and minus one size, and no quantiser of at most 16 bits gives them: "
            "quantise them (for example to 1 bit)"
        )
    scale = np.broadcast_to(steps, len(values)).astype(np.float32)
    integers = np.rint(values / scale.reshape(-1, *[1] * (values.ndim - 1)))
    return Weights(integers.astype(np.int16), scale)


def windows(node: NodeProto, kernel: tuple[int, int], chain: Chain, model: Model) -> Geometry:
    """Read how a Conv or MaxPool moves over its input; raises UnsupportedModel."""
    if chain.order.ndim != 3:
        raise UnsupportedModel(
            f"{node.name}: only images (channels, height, width) are supported here"
        )
    _, height, width = chain.order.shape
    if not np.array_equal(chains.canonical((height, width, chain.channels)), chain.order):
        raise UnsupportedModel(
            f"{node.name}: its input was transposed or reshaped from another layout; images must "
            "be in the order (channels, height, width)"
        )
    down, right = integers(node, "strides", (1, 1))
    top, left, bottom, end = integers(node, "pads", (0, 0, 0, 0))
    auto = attributes(node).get("auto_pad", b"NOTSET").decode()
    frame, stride = (height, width), (down, right)
    pads = explicit_pads(auto, (top, left, bottom, end), frame, kernel, stride)
    if min(pads) < 0:
        raise UnsupportedModel(
            f"{node.name}: negative pads are not supported; crop the images before"
        )
    geometry = Geometry(frame, kernel, stride, pads)
    pixels = model.shapes.get(node.output[0], (0, 0, 0))[1:]
    if min(geometry.pixels) < 1 or min(pixels) < 1:
        raise UnsupportedModel(
            f"{node.name}: a {kernel[0]}x{kernel[1]} window does not fit its input"
        )
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
    """Read the kernel of a MaxPool or AveragePool."""
    kernel = integers(node, "kernel_shape", ())
    if len(kernel) != 2:
        raise UnsupportedModel(f"{node.name}: only pooling over images (2 dimensions) is supported")
    if set(integers(node, "dilations", (1, 1))) != {1} or len(node.output) > 1:
        raise UnsupportedModel(f"{node.name}: dilated pooling and its indices are not supported")
    return kernel[0], kernel[1]


def averaging(node: NodeProto, chain: Chain, model: Model) -> Geometry:
    """Read the windows of an AveragePool, GlobalAveragePool or a mean over both axes."""
    if node.op_type == "AveragePool":
        geometry = windows(node, pooling(node), chain, model)
        if any(geometry.pads):
            raise UnsupportedModel(
                f"{node.name}: an average pool with pads or ceil_mode is not supported; use sizes "
                "that its windows cover"
            )
        return geometry
    if chain.order.ndim != 3:
        raise UnsupportedModel(
            f"{node.name}: only images (channels, height, width) are averaged here"
        )
    if node.op_type == "ReduceMean":
        axes = attributes(node).get("axes")
        if axes is None and len(node.input) > 1 and node.input[1] in model.constants:
            axes = np.asarray(model.constants[node.input[1]]).reshape(-1)
        if sorted(int(axis) % 4 for axis in (axes if axes is not None else ())) != [2, 3]:
            raise UnsupportedModel(f"{node.name}: only a mean over height and width is supported")
    _, height, width = chain.order.shape
    return Geometry((height, width), (height, width), (height, width), (0, 0, 0, 0))


def explicit_padding(node: NodeProto, model: Model) -> tuple[Pads, np.float32]:
    """Read pads and value of a Pad operator."""
    given = attributes(node)
    mode = given.get("mode", b"constant").decode()
    if mode != "constant":
        raise UnsupportedModel(
            f"{node.name}: pads in mode {mode!r}, which is none of the supported meanings; pad "
            "with a constant"
        )
    value = given.get("value", 0.0)
    if "pads" in given:  # below operator set 11
        amounts = integers(node, "pads", ())
    else:
        parameters = [model.constants.get(name) for name in node.input[1:3] if name]
        if len(node.input) > 3 or not parameters or any(item is None for item in parameters):
            raise UnsupportedModel(
                f"{node.name}: pads and value of a Pad must be constants for all axes"
            )
        amounts = tuple(int(item) for item in np.asarray(parameters[0]).reshape(-1))
        value = np.asarray(parameters[1]).reshape(-1)[0] if len(parameters) > 1 else 0.0
    if len(amounts) != 8 or any(amounts[i] for i in (0, 1, 4, 5)) or min(amounts) < 0:
        raise UnsupportedModel(f"{node.name}: pads {list(amounts)} must add rows and columns only")
    return (amounts[2], amounts[3], amounts[6], amounts[7]), np.float32(value)
