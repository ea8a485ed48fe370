# SPDX-License-Identifier: BSD-3-Clause
"""FINN's matrix and threshold units in QONNX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.interop.finn_attributes import node_attributes
from bonn_hw.interop.finn_translation import BITS, Attributes, Translation


def threshold(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    """Thresholds of a layer of their own: a sign, or steps."""
    source = here.names[node.input[0]]
    limits = np.asarray(here.constants[node.input[1]], np.float32)
    offset = int(attributes.get("ActVal", 0))
    if (limit := _sign(limits, attributes)) is not None:
        here.sign(source, limit, node.name, node.output[0])
    elif node.input[0] in here.host:
        _count_on_host(here, node, limits, offset)
    else:
        here.steps(source, limits, offset, node.name, node.output[0])


def _count_on_host(
    here: Translation, node: NodeProto, limits: NDArray[np.float32], offset: int
) -> None:
    """Integers: the number of thresholds reached. Compare with >=, as FINN does for ties."""
    source = here.names[node.input[0]]
    if here.ranks[source] == 4:
        limits = limits.reshape(1, -1, 1, 1, limits.shape[-1])
    expanded = here.emit("Unsqueeze", [source, here.constant([-1], np.int64)], node.name)
    reached = here.emit("GreaterOrEqual", [expanded, here.constant(limits)], node.name)
    one, zero, axes = here.constant(1.0), here.constant(0.0), here.constant([-1], np.int64)
    ones = here.emit("Where", [reached, one, zero], node.name)
    count = here.emit("Squeeze", [here.emit("ReduceSum", [ones, axes], node.name), axes], node.name)
    here.ranks[count] = here.ranks[source]
    moved = here.emit("Add", [count, here.constant(float(offset))], node.name)
    low, high = offset, offset + limits.shape[-1]
    signed = low < 0
    bits = max(int(high).bit_length(), int(-low - 1).bit_length() if signed else 0) + signed
    here.names[node.output[0]] = here.integers(moved, bits, signed, node.name, node.output[0])


def _sign(limits: NDArray[Any], attributes: Attributes) -> NDArray[Any] | None:
    """The limits of a sign ``(channels,)``; None for thresholds with more than two output values.

    Two equal thresholds with INT2 output -1 and +1; FINN can pad such a tensor with a true zero.
    """
    if attributes["outputDataType"] in BITS and limits.shape[-1] == 1:
        return limits[:, 0]
    three = limits.shape[-1] == 2 and attributes["outputDataType"] == "INT2"
    if three and attributes.get("ActVal", 0) == -1 and (limits[:, 0] == limits[:, 1]).all():
        return limits[:, 0]
    return None


def mvau(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    """A matrix product: weights ``(MW, MH)``."""
    weights = unit_weights(here, node, bool(attributes.get("binaryXnorMode", 0)))
    _activated(here, node, attributes, weights, matrix(here, node, weights))


def vvau(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    """A depthwise convolution: weights ``(C, 1, height, width)``."""
    popcount = bool(attributes.get("binaryXnorMode", 0))
    weights = unit_weights(here, node, popcount, axes=4)
    source, window = here.windows.get(node.input[0], ("", {}))
    if weights.shape[1] != 1 or window.get("ConvKernelDim") != list(weights.shape[2:]):
        raise UnsupportedModel(
            f"{node.name}: its weights of the shape {weights.shape} do not fit its window: compile "
            "the QONNX model"
        )
    sums = _convolution(here, node, source, window, weights, len(weights))
    _activated(here, node, attributes, weights.reshape(len(weights), -1).T, sums)


def _activated(
    here: Translation, node: NodeProto, attributes: Attributes, weights: NDArray[Any], sums: str
) -> None:
    """The thresholds of a unit with weights ``(MW, MH)``, on our sums; or FINN's own sums."""
    popcount = bool(attributes.get("binaryXnorMode", 0))
    kind = "XNOR" if popcount else str(attributes["inputDataType"])
    factor, shift = accumulator(weights, kind)
    if attributes.get("noActivation", 0) or len(node.input) < 3:
        as_accumulator(here, node, sums, factor, shift)
        return
    limits = np.asarray(here.constants[node.input[2]], np.float64)
    # Sums are integers: take the smallest integer that reaches the threshold.
    first = np.ceil(np.broadcast_to(limits, (weights.shape[1], limits.shape[-1])))
    if (limit := _sign(first, attributes)) is not None:
        here.sign(sums, factor * limit + shift, node.name, node.output[0])
        return
    start = int(attributes.get("ActVal", 0))
    here.steps(sums, factor * first + shift[:, None], start, node.name, node.output[0])


def unit_weights(
    here: Translation, node: NodeProto, popcount: bool, axes: int = 2
) -> NDArray[np.float32]:
    """The weights of a unit, ``(MW, MH)`` with two axes; of a popcount they are 0 and 1."""
    if node.input[1] not in here.constants:
        raise UnsupportedModel(f"{node.name}: its weights are not in the file: they are computed")
    weights = np.asarray(here.constants[node.input[1]], np.float32)
    if weights.ndim != axes:
        raise UnsupportedModel(
            f"{node.name}: its weights have the shape {weights.shape}, not one of {axes} axes"
        )
    if popcount:
        weights = 2 * weights - 1
    if (weights != np.rint(weights)).any():
        raise UnsupportedModel(
            f"{node.name}: its weights are no integers: compile the QONNX model, or FINN's graph "
            "after its streamlining"
        )
    return weights


def accumulator(weights: NDArray[np.float32], kind: str) -> tuple[float, NDArray[np.float64]]:
    """Factor and shift ``(MH,)``: our sums are factor * FINN's accumulator + shift."""
    mw, mh = weights.shape
    if kind == "XNOR":
        return 2.0, np.full(mh, -float(mw))
    if kind == "BINARY":
        return 2.0, -weights.sum(axis=0, dtype=np.float64)
    return 1.0, np.zeros(mh)


def as_accumulator(
    here: Translation, node: NodeProto, sums: str, factor: float, shift: NDArray[np.float64]
) -> None:
    """Output sums as FINN has them."""
    if factor == 1.0:
        here.names[node.output[0]] = sums
        return
    moved = here.emit("Sub", [sums, here.channels(shift, sums)], node.name)
    result = here.emit("Mul", [moved, here.constant(1 / factor)], node.name, node.output[0])
    here.names[node.output[0]] = result


def matrix(here: Translation, node: NodeProto, weights: NDArray[np.float32]) -> str:
    """Add the convolution or matrix product with weights ``(MW, MH)``; returns its output."""
    if node.input[0] in here.windows:
        source, window = here.windows[node.input[0]]
        height, width = window["ConvKernelDim"]
        shaped = weights.T.reshape(weights.shape[1], height, width, -1).transpose(0, 3, 1, 2)
        return _convolution(here, node, source, window, shaped)
    source = here.names[node.input[0]]
    pixels = node_attributes(node).get("numInputVectors")
    # Without that attribute, the rows of an image are its pixels.
    images = here.ranks[source] == 4 and (pixels is None or len(pixels) > 1)
    if images:
        shaped = weights.T.reshape(*weights.T.shape, 1, 1)
        quantised = here.quantised(shaped, node.name)
        return here.emit("Conv", [source, quantised], node.name, kernel_shape=[1, 1])
    vector = here.flat(source, node.name)
    return here.emit("MatMul", [vector, here.quantised(weights, node.name)], node.name)


def _convolution(
    here: Translation,
    node: NodeProto,
    source: str,
    window: Mapping[str, Any],
    weights: NDArray[Any],
    group: int = 1,
) -> str:
    """Add a convolution with weights ``(C, C / group, height, width)``; returns its output."""
    quantised = here.quantised(weights, node.name)
    # A convolution pads with zeros by itself.
    source, pads = here.borders.get(source, (source, [0, 0, 0, 0]))
    sides = {"pads": pads, "kernel_shape": list(weights.shape[2:]), "group": group}
    strides = list(window["Stride"])
    return here.emit("Conv", [source, quantised], node.name, output="", strides=strides, **sides)
