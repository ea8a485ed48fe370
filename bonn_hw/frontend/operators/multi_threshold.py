# SPDX-License-Identifier: BSD-3-Clause
"""MultiThreshold of FINN-ONNX: ``out_scale`` times the thresholds reached, plus ``out_bias``.

Follows qonnx 1.0 (``custom_op/general/multithreshold.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from onnx import NodeProto, helper

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend import composites
from bonn_hw.frontend.attributes import number, text
from bonn_hw.frontend.common_scale import common_scale, multiples
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.model import QuantGrid
from bonn_hw.frontend.operator import Kind, Operator, StandardOnnx
from bonn_hw.frontend.quantiser_steps import Steps

# The axes of a layout whose channels are last, with the channels first, and back.
CHANNELS_LAST = {"NHWC": ([0, 3, 1, 2], [0, 2, 3, 1]), "NWC": ([0, 2, 1], [0, 2, 1])}


def multi_threshold(node: NodeProto, constants: Mapping[str, Array], opset: int) -> StandardOnnx:
    """Translate a MultiThreshold: count, scale and shift."""
    if len(node.input) != 2 or node.input[1] not in constants:
        raise UnsupportedModel(f"{node.name}: the thresholds of a MultiThreshold must be constants")
    limits = np.asarray(constants[node.input[1]], np.float32)
    if limits.ndim != 2 or not limits.size or np.isnan(limits).any():
        raise UnsupportedModel(
            f"{node.name}: thresholds of the shape {limits.shape} are not (channels, thresholds)"
        )
    layout = text(node, "data_layout", "")
    scale, bias = _scale_and_bias(node)
    steps = Steps(node, opset)
    moved = CHANNELS_LAST.get(layout) if len(limits) > 1 else None
    if moved:
        _transpose(steps, moved[0])
    tensor, output, label = steps.place
    steps.append(composites.count_thresholds(tensor, limits, output, label, guessed=not layout))
    if moved:
        _transpose(steps, moved[1])
    if scale != 1:
        steps.add("Mul", steps.constant("out_scale", np.asarray(scale)))
    if bias != 0:
        steps.add("Add", steps.constant("out_bias", np.asarray(bias)))
    above = [np.nextafter(limits, np.float32(end)) for end in (-np.inf, np.inf)]
    tried = np.concatenate([limits, *above], axis=1).T  # (N, C)
    if moved:
        tried = tried.reshape(len(tried), *[1] * (len(moved[0]) - 2), -1)
    return steps.finish(_grid(limits.shape[1], scale, bias), tried)


def _scale_and_bias(node: NodeProto) -> tuple[np.float32, np.float32]:
    return np.float32(number(node, "out_scale", 1.0)), np.float32(number(node, "out_bias", 0.0))


def _transpose(steps: Steps, axes: list[int]) -> None:
    tensor, output, label = steps.place
    steps.append(helper.make_node("Transpose", [tensor], [output], label, perm=axes))


def _grid(count: int, scale: np.float32, bias: np.float32) -> QuantGrid | None:
    """The integers that it returns; None if scale and bias have no common grid."""
    values = np.arange(count + 1, dtype=np.float32) * scale + bias
    unit = common_scale(values)
    integers = None if unit is None else multiples(values, unit)
    if unit is None or integers is None:
        return None
    bipolar = sorted(integers.tolist()) == [-1, 1]
    return QuantGrid(np.asarray(unit), int(integers.min()), int(integers.max()), bipolar)


def _by_qonnx(node: NodeProto, values: Array, given: Sequence[Array]) -> Array:
    from qonnx.custom_op.general.multithreshold import multithreshold

    scale, bias = number(node, "out_scale", 1.0), number(node, "out_bias", 0.0)
    last = text(node, "data_layout", "") in CHANNELS_LAST
    return np.asarray(multithreshold(values, given[0], scale, bias, last), np.float32)


OPERATORS = (
    Operator(
        ("MultiThreshold",),
        Kind.QUANTISER,
        "of FINN-ONNX: thresholds for each channel or for all, `out_scale` and `out_bias`",
        rewrite=multi_threshold,
        definition=_by_qonnx,
    ),
)
