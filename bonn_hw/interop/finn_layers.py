# SPDX-License-Identifier: BSD-3-Clause
"""FINN's operators in QONNX: hardware layers, and those of its graphs before they are hardware.

Names are those of finn-plus 1.6 and of upstream FINN 0.9 and 0.10 without their backends
(`finn_folding.operator_of`). A border that FMPadding writes around bits is made of zeros, which
mean -1; here it is padded with -1 as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.interop.finn_attributes import node_attributes
from bonn_hw.interop.finn_translation import BITS, Translation

Attributes = Mapping[str, Any]
Write = Callable[[Translation, NodeProto, Attributes], None]


def _threshold(here: Translation, node: NodeProto, attributes: Attributes) -> None:
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


def _mvau(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    weights = _weights(here, node, bool(attributes.get("binaryXnorMode", 0)))
    _activated(here, node, attributes, weights, _matrix(here, node, weights))


def _vvau(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    """A depthwise convolution: weights ``(C, 1, height, width)``."""
    popcount = bool(attributes.get("binaryXnorMode", 0))
    weights = _weights(here, node, popcount, axes=4)
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
    factor, shift = _accumulator(weights, kind)
    if attributes.get("noActivation", 0) or len(node.input) < 3:
        _as_accumulator(here, node, sums, factor, shift)
        return
    limits = np.asarray(here.constants[node.input[2]], np.float64)
    # Sums are integers: take the smallest integer that reaches the threshold.
    first = np.ceil(np.broadcast_to(limits, (weights.shape[1], limits.shape[-1])))
    if (limit := _sign(first, attributes)) is not None:
        here.sign(sums, factor * limit + shift, node.name, node.output[0])
        return
    start = int(attributes.get("ActVal", 0))
    here.steps(sums, factor * first + shift[:, None], start, node.name, node.output[0])


def _weights(
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


def _accumulator(weights: NDArray[np.float32], kind: str) -> tuple[float, NDArray[np.float64]]:
    """Factor and shift ``(MH,)``: our sums are factor * FINN's accumulator + shift."""
    mw, mh = weights.shape
    if kind == "XNOR":
        return 2.0, np.full(mh, -float(mw))
    if kind == "BINARY":
        return 2.0, -weights.sum(axis=0, dtype=np.float64)
    return 1.0, np.zeros(mh)


def _as_accumulator(
    here: Translation, node: NodeProto, sums: str, factor: float, shift: NDArray[np.float64]
) -> None:
    """Output sums as FINN has them."""
    if factor == 1.0:
        here.names[node.output[0]] = sums
        return
    moved = here.emit("Sub", [sums, here.channels(shift, sums)], node.name)
    result = here.emit("Mul", [moved, here.constant(1 / factor)], node.name, node.output[0])
    here.names[node.output[0]] = result


def _matrix(here: Translation, node: NodeProto, weights: NDArray[np.float32]) -> str:
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


def _slide(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    if any(one != 1 for one in _pair(attributes.get("Dilation", 1))):
        raise UnsupportedModel(
            f"{node.name}: dilation {attributes['Dilation']} is not supported, [1, 1] is"
        )
    sides = {key: _pair(attributes.get(key, 1)) for key in ("ConvKernelDim", "Stride")}
    here.windows[node.output[0]] = (here.names[node.input[0]], sides)


def _downsample(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    """Windows of one pixel."""
    stride = _pair(attributes["Stride"])
    if attributes.get("is1D", 0):
        stride[1] = 1
    window = {"ConvKernelDim": [1, 1], "Stride": stride}
    here.windows[node.output[0]] = (here.names[node.input[0]], window)


def _pad(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    pads = list(attributes["Padding"])
    if len(pads) == 2:  # older: the sums of both sides
        height, width = pads
        pads = [height // 2, width // 2, height - height // 2, width - width // 2]
    border = -1.0 if attributes["inputDataType"] in BITS else 0.0
    source = here.names[node.input[0]]
    here.names[node.output[0]] = here.padded(source, pads, border, node.name, node.output[0])


def _pool(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    function = attributes["Function"]
    if function not in ("MaxPool", "AccPool", "QuantAvgPool") or node.input[0] not in here.windows:
        raise UnsupportedModel(
            f"{node.name}: Pool of {function} is not supported; MaxPool, AccPool and QuantAvgPool "
            "behind a sliding window are"
        )
    source, window = here.windows[node.input[0]]
    kernel, stride = list(window["ConvKernelDim"]), list(window["Stride"])
    if function == "MaxPool":
        sides: dict[str, Any] = {"kernel_shape": kernel, "strides": stride}
        here.names[node.output[0]] = here.emit(
            "MaxPool", [source], node.name, node.output[0], **sides
        )
        return
    sums = _window_sums(here, source, kernel, stride, node.name)
    if function == "AccPool":
        here.names[node.output[0]] = sums
        return
    kinds = [str(attributes[key]) for key in ("InputDataType", "OutputDataType")]
    facts = (_bits(kinds[0]), _bits(kinds[1]), not kinds[1].startswith("U"))
    here.names[node.output[0]] = _shifted(here, sums, kernel, facts, node)


def _window_sums(
    here: Translation, source: str, kernel: Sequence[int], stride: Sequence[int], name: str
) -> str:
    """The sums of windows: averages times their pixels, whole again after a rounding."""
    sides: dict[str, Any] = {"kernel_shape": list(kernel), "strides": list(stride)}
    average = here.emit("AveragePool", [source], name, **sides)
    pixels = float(kernel[0] * kernel[1])
    return here.emit("Round", [here.emit("Mul", [average, here.constant(pixels)], name)], name)


def _shifted(
    here: Translation,
    sums: str,
    kernel: Sequence[int],
    facts: tuple[int, int, bool],
    node: NodeProto,
) -> str:
    """FINN's average: sums without their lowest bits, so that the largest has the output's bits."""
    bits, output_bits, signed = facts
    largest = (2**bits - 1) * kernel[0] * kernel[1]
    shift = max(0, largest.bit_length() - output_bits)
    scaled = here.emit("Mul", [sums, here.constant(2.0**-shift)], node.name)
    whole = here.emit("Floor", [scaled], node.name)
    return here.integers(whole, output_bits, signed, node.name, node.output[0])


def _bits(kind: str) -> int:
    """The width of an integer type, or 1."""
    found = re.fullmatch(r"U?INT(\d+)", kind)
    return int(found[1]) if found else 1


def _max_pool(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    source, kernel = here.names[node.input[0]], _pair(attributes["PoolDim"])
    sides: dict[str, Any] = {"kernel_shape": kernel, "strides": kernel}
    if attributes.get("CeilMode", 0):
        sides["ceil_mode"] = 1
    here.names[node.output[0]] = here.emit("MaxPool", [source], node.name, node.output[0], **sides)


def _global_sums(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    """The sums over all pixels."""
    source = here.names[node.input[0]]
    _, *extents = attributes["numInputVectors"]
    average = here.emit("GlobalAveragePool", [source], node.name)
    scaled = here.emit("Mul", [average, here.constant(float(np.prod(extents)))], node.name)
    here.names[node.output[0]] = here.emit("Round", [scaled], node.name, node.output[0])


def _label(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    """The classes of the K largest scores, in floats as FINN has them; the first of equal ones."""
    vector = here.flat(here.names[node.input[0]], node.name)
    count = int(attributes.get("K", 1))
    if count == 1:
        index = here.emit("ArgMax", [vector], node.name, axis=-1, keepdims=1)
    else:
        best = f"{node.name}_values"
        index = here.emit("TopK", [vector, here.constant([count], np.int64)], node.name, best)
        index = f"{node.name}_indices"
        here.nodes[-1].output.append(index)
    here.ranks[index] = 2
    here.names[node.output[0]] = here.emit(
        "Cast", [index], node.name, node.output[0], to=TensorProto.FLOAT
    )


def _same(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    """Nodes that only move data: every output equals the input."""
    source = node.input[0]
    for output in node.output:
        if source in here.constants:  # weights that FINN streams
            here.constants[output] = here.constants[source]
        elif source in here.windows:
            here.windows[output] = here.windows[source]
        else:
            here.names[output] = here.names[source]


def _shaped(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    """Reshape and its kind: a flattening, or axes of one element more or less."""
    source = here.names[node.input[0]]
    shape = [int(one) for one in attributes.get("out_shape", [1])]
    if here.ranks[source] == 4 and len(shape) <= 2:
        source = here.flat(source, node.name)
    elif here.ranks[source] != len(shape):
        raise UnsupportedModel(
            f"{node.name}: {node.op_type} to the shape {shape} is not supported, a flattening is"
        )
    here.names[node.output[0]] = source


def _shuffle(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    """A Transpose in hardware: only between the two layouts of images, which are one here."""
    order = tuple(attributes.get("perm", ()))
    if order not in ((0, 2, 3, 1), (0, 3, 1, 2)):
        raise UnsupportedModel(f"{node.name}: Transpose by {order} among FINN's hardware nodes")
    here.names[node.output[0]] = here.names[node.input[0]]


def _elementwise(kind: str) -> Write:
    def write(here: Translation, node: NodeProto, attributes: Attributes) -> None:
        types = (attributes.get(key) for key in ("lhs_dtype", "rhs_dtype", "inputDataType"))
        if "BINARY" in types:
            raise UnsupportedModel(f"{node.name}: arithmetic on bits of 0 and 1 is not supported")
        inputs = []
        rank = max(here.ranks[here.names[name]] for name in node.input if name in here.names)
        for name in node.input:
            if name in here.names:
                inputs.append(here.names[name])
                continue
            value = np.asarray(here.constants[name], np.float32)
            if rank == 4 and value.size > 1:
                value = value.reshape(1, -1, 1, 1)
            inputs.append(here.constant(value))
        here.names[node.output[0]] = here.emit(kind, inputs, node.name, node.output[0])

    return write


def _by_channel(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    """A sum or product with a constant of each channel."""
    kind = {"add": "Add", "mul": "Mul"}.get(str(attributes.get("Func", "")).lower())
    if kind is None:
        raise UnsupportedModel(
            f"{node.name}: {node.op_type} of {attributes.get('Func')!r} is not supported; add and "
            "mul are"
        )
    _elementwise(kind)(here, node, attributes)


# -- operators before they are hardware ------------------------------------------------------------


def _multi_threshold(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    source = here.names[node.input[0]]
    limits = np.asarray(here.constants[node.input[1]], np.float32)
    scale, bias = (float(attributes.get(f"out_{key}", not place)) for place, key in
                   enumerate(("scale", "bias")))  # fmt: skip
    bits = attributes.get("out_dtype") in BITS and limits.shape[-1] == 1
    if bits and (scale, bias) in ((1.0, 0.0), (2.0, -1.0)):
        here.sign(source, limits[:, 0], node.name, node.output[0])
        return
    layout = "NCHW" if here.ranks[source] == 4 else "NC"
    stated = {"out_scale": scale, "out_bias": bias, "data_layout": layout}
    stated["out_dtype"] = str(attributes.get("out_dtype", "FLOAT32"))
    inputs = [source, here.constant(limits)]
    here.names[node.output[0]] = here.emit(
        "MultiThreshold", inputs, node.name, node.output[0], **stated
    )


def _im2col(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    kernel, stride = (_pair(attributes[key]) for key in ("kernel_size", "stride"))
    if any(one != 1 for one in _pair(attributes.get("dilations", 1))):
        raise UnsupportedModel(
            f"{node.name}: dilation {attributes['dilations']} is not supported, [1, 1] is"
        )
    source, pads = here.names[node.input[0]], attributes.get("pad_amount", [0, 0, 0, 0])
    pads = [int(pads)] * 4 if isinstance(pads, int) else list(pads)
    if any(pads):
        border = -1.0 if here.kinds.get(node.input[0]) == "BINARY" else 0.0
        source = here.padded(source, pads, border, node.name, f"{node.output[0]}_padded")
    here.windows[node.output[0]] = (source, {"ConvKernelDim": kernel, "Stride": stride})


def _pair(value: Any) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


def _xnor(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    weights = _weights(here, node, True)
    factor, shift = _accumulator(weights, "XNOR")
    _as_accumulator(here, node, _matrix(here, node, weights), factor, shift)


def _mat_mul(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    weights = _weights(here, node, False)
    factor, shift = _accumulator(weights, here.kinds.get(node.input[0], ""))
    _as_accumulator(here, node, _matrix(here, node, weights), factor, shift)


def _max_pool_last(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    keys = ("kernel_shape", "strides", "pads")
    sides: dict[str, Any] = {key: list(attributes[key]) for key in keys
             if key in attributes}  # fmt: skip
    if attributes.get("ceil_mode", 0):
        sides["ceil_mode"] = 1
    source = here.names[node.input[0]]
    here.names[node.output[0]] = here.emit("MaxPool", [source], node.name, node.output[0], **sides)


def _average_pool(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    kernel, stride = (_pair(int(attributes[key])) for key in ("kernel", "stride"))
    sums = _window_sums(here, here.names[node.input[0]], kernel, stride, node.name)
    facts = (int(attributes["ibits"]), int(attributes["obits"]), bool(attributes["signed"]))
    here.names[node.output[0]] = _shifted(here, sums, kernel, facts, node)


# FINN's own domains; the layout of hardware is channels last
HARDWARE: Mapping[str, Write] = {
    "MVAU": _mvau,
    "VVAU": _vvau,
    "Thresholding": _threshold,
    "ConvolutionInputGenerator": _slide,
    "DownSampler": _downsample,
    "FMPadding": _pad,
    "Pool": _pool,
    "StreamingMaxPool": _max_pool,
    "GlobalAccPool": _global_sums,
    "LabelSelect": _label,
    "Reshape": _shaped,
    "Squeeze": _shaped,
    "Unsqueeze": _shaped,
    "Shuffle": _shuffle,
    "StreamingDataWidthConverter": _same,
    "StreamingFIFO": _same,
    "DuplicateStreams": _same,
    "IODMA": _same,
    "TLastMarker": _same,
    "CheckSum": _same,
    "AddStreams": _elementwise("Add"),
    "ChannelwiseOp": _by_channel,
    "ElementwiseMul": _elementwise("Mul"),
    "ElementwiseSub": _elementwise("Sub"),
}
# They may stand before the first layer: the type of what they move is that layer's.
MOVERS = ("IODMA", "TLastMarker", "CheckSum", "StreamingFIFO", "StreamingDataWidthConverter")
SAME_LAYOUT = (
    "AddStreams",
    "ChannelwiseOp",
    "ElementwiseMul",
    "ElementwiseSub",
    "Thresholding",
    "MultiThreshold",
    *(name for name, write in HARDWARE.items() if write is _same),
)
# Of qonnx, in graphs that FINN has streamlined
STREAMLINED: Mapping[str, Write] = {
    "MultiThreshold": _multi_threshold,
    "Im2Col": _im2col,
    "XnorPopcountMatMul": _xnor,
    "MaxPoolNHWC": _max_pool_last,
    "QuantAvgPool2d": _average_pool,
}
CONSTANT_MATRIX: Write = _mat_mul
