# SPDX-License-Identifier: BSD-3-Clause
"""FINN's graphs before they are hardware: operators of qonnx that its streamlining leaves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx import NodeProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.interop.finn_translation import BITS, Attributes, Translation, Write
from bonn_hw.interop.finn_units import accumulator, as_accumulator, matrix, unit_weights
from bonn_hw.interop.finn_windows import pair, shifted, window_sums


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
    kernel, stride = (pair(attributes[key]) for key in ("kernel_size", "stride"))
    if any(one != 1 for one in pair(attributes.get("dilations", 1))):
        raise UnsupportedModel(
            f"{node.name}: dilation {attributes['dilations']} is not supported, [1, 1] is"
        )
    source, pads = here.names[node.input[0]], attributes.get("pad_amount", [0, 0, 0, 0])
    pads = [int(pads)] * 4 if isinstance(pads, int) else list(pads)
    if any(pads):
        border = -1.0 if here.kinds.get(node.input[0]) == "BINARY" else 0.0
        source = here.padded(source, pads, border, node.name, f"{node.output[0]}_padded")
    here.windows[node.output[0]] = (source, {"ConvKernelDim": kernel, "Stride": stride})


def _xnor(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    weights = unit_weights(here, node, True)
    factor, shift = accumulator(weights, "XNOR")
    as_accumulator(here, node, matrix(here, node, weights), factor, shift)


def _mat_mul(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    weights = unit_weights(here, node, False)
    factor, shift = accumulator(weights, here.kinds.get(node.input[0], ""))
    as_accumulator(here, node, matrix(here, node, weights), factor, shift)


def _max_pool_last(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    keys = ("kernel_shape", "strides", "pads")
    sides: dict[str, Any] = {key: list(attributes[key]) for key in keys
             if key in attributes}  # fmt: skip
    if attributes.get("ceil_mode", 0):
        sides["ceil_mode"] = 1
    source = here.names[node.input[0]]
    here.names[node.output[0]] = here.emit("MaxPool", [source], node.name, node.output[0], **sides)


def _average_pool(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    kernel, stride = (pair(int(attributes[key])) for key in ("kernel", "stride"))
    sums = window_sums(here, here.names[node.input[0]], kernel, stride, node.name)
    facts = (int(attributes["ibits"]), int(attributes["obits"]), bool(attributes["signed"]))
    here.names[node.output[0]] = shifted(here, sums, kernel, facts, node)


# Of qonnx, in graphs that FINN has streamlined
STREAMLINED: Mapping[str, Write] = {
    "MultiThreshold": _multi_threshold,
    "Im2Col": _im2col,
    "XnorPopcountMatMul": _xnor,
    "MaxPoolNHWC": _max_pool_last,
    "QuantAvgPool2d": _average_pool,
}
CONSTANT_MATRIX: Write = _mat_mul
