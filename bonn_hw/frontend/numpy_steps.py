# SPDX-License-Identifier: BSD-3-Clause
"""ONNX nodes as steps of the driver, which has NumPy only: attributes become constants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from bonn_hw.driver.steps import OPERATORS

Step = tuple[str, list[str], str]  # operator, inputs, output
Constants = dict[str, NDArray[Any]]
Attributes = dict[str, Any]
# A function of the attributes, which it takes out, and of the other operands: the constants that
# follow the inputs; None if there is no such step.
Operands = Callable[[Attributes, list[NDArray[Any] | None]], list[Any] | None]


def steps_of(node: NodeProto, constants: Constants) -> list[Step] | None:
    """Translate a node; None if the driver has no such operator.

    Parameters
    ----------
    constants : dict
        Constants by name; those of the step are added.
    """
    attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    operands = [constants.get(name) for name in node.input[1:]]
    if node.op_type in SPECIAL:
        given = SPECIAL[node.op_type](attributes, operands)
        if given is None or any(attributes.values()):
            return None
        data = list(node.input) if node.op_type == "Concat" else [node.input[0]]
        inputs = data + _added(node, given, constants)
        if node.op_type == "TopK":
            ends = zip(("TopValues", "TopIndices"), node.output, strict=False)
            return [(name, inputs, output) for name, output in ends if output]
        name = {"Resize": "Repeat", "Upsample": "Repeat"}.get(node.op_type, node.op_type)
        return [(name, inputs, node.output[0])]
    if node.op_type == "Flatten" and attributes.get("axis", 1) == 1:
        attributes.clear()
    if node.op_type == "Reshape" and not attributes.get("allowzero", 0):
        attributes.clear()
    if node.op_type not in OPERATORS or attributes or not all(node.input):
        return None
    return [(node.op_type, list(node.input), node.output[0])]


def _added(node: NodeProto, values: list[Any], constants: Constants) -> list[str]:
    names = [f"{node.output[0]}_operand{place}" for place in range(len(values))]
    constants.update((name, np.asarray(value)) for name, value in zip(names, values, strict=True))
    return names


def _transpose(attributes: Attributes, _: list[NDArray[Any] | None]) -> list[Any] | None:
    order = attributes.pop("perm", None)
    return None if order is None else [np.array(order)]


def _arg_max(attributes: Attributes, _: list[NDArray[Any] | None]) -> list[Any]:
    return [attributes.pop("axis", 0), attributes.pop("keepdims", 1)]


def _reduce(attributes: Attributes, operands: list[NDArray[Any] | None]) -> list[Any] | None:
    axes = attributes.pop("axes", operands[0] if operands else None)
    attributes.pop("noop_with_empty_axes", 0)
    return None if axes is None else [np.array(axes), attributes.pop("keepdims", 1)]


def _top_k(attributes: Attributes, operands: list[NDArray[Any] | None]) -> list[Any] | None:
    attributes.pop("sorted", 1)
    count = attributes.pop("k", operands[0] if operands else None)
    if count is None:
        return None
    return [np.array(count), attributes.pop("axis", -1), attributes.pop("largest", 1)]


def _cast(attributes: Attributes, _: list[NDArray[Any] | None]) -> list[Any]:
    return [np.zeros(0, helper.tensor_dtype_to_np_dtype(attributes.pop("to")))]


def _gather(attributes: Attributes, operands: list[NDArray[Any] | None]) -> list[Any] | None:
    index = operands[0]
    return None if index is None else [index, attributes.pop("axis", 0)]


def _slice(attributes: Attributes, operands: list[NDArray[Any] | None]) -> list[Any] | None:
    if not operands:  # below operator set 10
        operands = [np.array(attributes.pop(name, [])) for name in ("starts", "ends", "axes")]
    if any(one is None for one in operands):
        return None
    starts, ends, *rest = (np.asarray(one) for one in operands)
    axes = rest[0] if rest and rest[0].size else np.arange(len(starts))
    steps = rest[1] if len(rest) > 1 else np.ones(len(starts), np.int64)
    return [starts, ends, axes, steps]


def _depth_to_space(attributes: Attributes, _: list[NDArray[Any] | None]) -> list[Any]:
    return [attributes.pop("blocksize"), int(attributes.pop("mode", b"DCR") == b"CRD")]


def _concat(attributes: Attributes, _: list[NDArray[Any] | None]) -> list[Any]:
    return [attributes.pop("axis")]


def _resize(attributes: Attributes, operands: list[NDArray[Any] | None]) -> list[Any] | None:
    # Whether it repeats pixels is found out by comparing.
    scales = [one for one in operands if one is not None and one.dtype == np.float32 and one.size]
    attributes.clear()
    if len(scales) != 1 or (scales[0] % 1).any():
        return None
    return [scales[0].astype(np.int64)]


SPECIAL: Mapping[str, Operands] = {
    "ArgMax": _arg_max,
    "ArgMin": _arg_max,
    "Cast": _cast,
    "Concat": _concat,
    "DepthToSpace": _depth_to_space,
    "Gather": _gather,
    "ReduceMax": _reduce,
    "ReduceMin": _reduce,
    "Resize": _resize,
    "Slice": _slice,
    "TopK": _top_k,
    "Transpose": _transpose,
    "Upsample": _resize,
}
