# SPDX-License-Identifier: BSD-3-Clause
"""FINN's windows and pools in QONNX.

A border that FMPadding writes around bits is made of zeros, which mean -1; here it is padded with
-1 as well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from onnx import NodeProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.interop.finn_translation import BITS, Attributes, Translation


def slide(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    """Windows for the unit behind them."""
    if any(one != 1 for one in pair(attributes.get("Dilation", 1))):
        raise UnsupportedModel(
            f"{node.name}: dilation {attributes['Dilation']} is not supported, [1, 1] is"
        )
    sides = {key: pair(attributes.get(key, 1)) for key in ("ConvKernelDim", "Stride")}
    here.windows[node.output[0]] = (here.names[node.input[0]], sides)


def downsample(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    """Windows of one pixel."""
    stride = pair(attributes["Stride"])
    if attributes.get("is1D", 0):
        stride[1] = 1
    window = {"ConvKernelDim": [1, 1], "Stride": stride}
    here.windows[node.output[0]] = (here.names[node.input[0]], window)


def pad(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    """A border around an image."""
    pads = list(attributes["Padding"])
    if len(pads) == 2:  # older: the sums of both sides
        height, width = pads
        pads = [height // 2, width // 2, height - height // 2, width - width // 2]
    border = -1.0 if attributes["inputDataType"] in BITS else 0.0
    source = here.names[node.input[0]]
    here.names[node.output[0]] = here.padded(source, pads, border, node.name, node.output[0])


def pool(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    """The maximum, sum or shifted sum of each window."""
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
    sums = window_sums(here, source, kernel, stride, node.name)
    if function == "AccPool":
        here.names[node.output[0]] = sums
        return
    kinds = [str(attributes[key]) for key in ("InputDataType", "OutputDataType")]
    facts = (_bits(kinds[0]), _bits(kinds[1]), not kinds[1].startswith("U"))
    here.names[node.output[0]] = shifted(here, sums, kernel, facts, node)


def window_sums(
    here: Translation, source: str, kernel: Sequence[int], stride: Sequence[int], name: str
) -> str:
    """The sums of windows: averages times their pixels, whole again after a rounding."""
    sides: dict[str, Any] = {"kernel_shape": list(kernel), "strides": list(stride)}
    average = here.emit("AveragePool", [source], name, **sides)
    pixels = float(kernel[0] * kernel[1])
    return here.emit("Round", [here.emit("Mul", [average, here.constant(pixels)], name)], name)


def shifted(
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


def max_pool(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    """The maximum of windows that do not overlap."""
    source, kernel = here.names[node.input[0]], pair(attributes["PoolDim"])
    sides: dict[str, Any] = {"kernel_shape": kernel, "strides": kernel}
    if attributes.get("CeilMode", 0):
        sides["ceil_mode"] = 1
    here.names[node.output[0]] = here.emit("MaxPool", [source], node.name, node.output[0], **sides)


def pair(value: Any) -> list[int]:
    """Both extents, which older graphs give as one number."""
    return [value, value] if isinstance(value, int) else list(value)
