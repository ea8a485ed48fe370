# SPDX-License-Identifier: BSD-3-Clause
"""FINN-ONNX before its lowering -> QONNX: integer weights get quantisers, thresholds their scales.

FINN replaces quantisers of weights by integers and a note of their type, and those of activations
by MultiThreshold, Mul and Add. All other operators stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from bonn_hw.frontend.attributes import number
from bonn_hw.interop.finn_translation import QUANTISERS
from bonn_hw.ir.tensor import Element

MATRICES = ("Conv", "Gemm", "MatMul")


def to_qonnx(model: ModelProto) -> ModelProto:
    """Translate a graph of standard operators and MultiThreshold nodes."""
    changed = ModelProto()
    changed.CopyFrom(model)
    del changed.graph.node[:]
    changed.graph.node.extend(_merged(list(_weighted(changed, model)), changed))
    domains = {one.domain for one in changed.opset_import}
    if QUANTISERS not in domains:
        changed.opset_import.append(helper.make_opsetid(QUANTISERS, 1))
    # FINN writes the TopK of operator set 11, whatever the set of the file.
    topk = any(node.op_type == "TopK" and len(node.input) == 2 for node in model.graph.node)
    for one in changed.opset_import:
        if topk and one.domain in ("", "ai.onnx"):
            one.version = max(one.version, 11)
    return changed


def _weighted(changed: ModelProto, model: ModelProto) -> Iterator[NodeProto]:
    """The nodes, with a quantiser before integer weights of more than one bit."""
    constants = {one.name: one for one in model.graph.initializer}
    integers = {
        note.tensor_name
        for note in model.graph.quantization_annotation
        for entry in note.quant_parameter_tensor_names
        if entry.key == "finn_datatype" and entry.value.startswith(("INT", "UINT", "TERNARY"))
    }
    for node in model.graph.node:
        name = node.input[1] if node.op_type in MATRICES and len(node.input) > 1 else ""
        if name not in constants or name not in integers:
            yield node
            continue
        weights = numpy_helper.to_array(constants[name])
        if np.isin(weights, (-1, 1)).all() or (weights != np.rint(weights)).any():
            yield node
            continue
        low, high = int(weights.min()), int(weights.max())
        bits = Element(min(low, -2), max(high, 1)).bits
        output = f"{node.name or node.output[0]}/weights"
        parameters = []
        for key, value in (("scale", 1), ("zero", 0), ("bits", bits)):
            parameters.append(f"{output}/{key}")
            held = numpy_helper.from_array(np.array(value, np.float32), parameters[-1])
            changed.graph.initializer.append(held)
        attributes: dict[str, Any] = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
        inputs = [name, *parameters]
        yield helper.make_node("Quant", inputs, [output], output, domain=QUANTISERS, **attributes)
        copy = NodeProto()
        copy.CopyFrom(node)
        copy.input[1] = output
        yield copy


def _merged(nodes: list[NodeProto], model: ModelProto) -> Iterator[NodeProto]:
    """The nodes; a Mul or Add of one constant behind thresholds is part of them if that is exact.

    So the outputs of the thresholds are integers times one scale.
    """
    constants = {one.name: one for one in model.graph.initializer}
    consumers: dict[str, list[NodeProto]] = {}
    for node in nodes:
        for name in node.input:
            consumers.setdefault(name, []).append(node)
    gone: set[str] = set()  # outputs of nodes that are part of others
    ends = {one.name for one in model.graph.output}
    for node in nodes:
        if node.output and node.output[0] in gone:
            continue
        if node.op_type != "MultiThreshold" or not node.output:
            yield node
            continue
        copy = NodeProto()
        copy.CopyFrom(node)
        scale = np.float32(number(node, "out_scale", 1.0))
        bias = np.float32(number(node, "out_bias", 0.0))
        stated = constants.get(node.input[1]) if len(node.input) > 1 else None
        steps = stated.dims[-1] if stated is not None and stated.dims else 0
        values = _values(steps, scale, bias)
        while steps and copy.output[0] not in ends:
            following = consumers.get(copy.output[0], [])
            factor = _constant(following[0], constants) if len(following) == 1 else None
            if factor is None:
                break
            product = following[0].op_type == "Mul"
            wanted = values * factor if product else values + factor
            moved = (scale * factor, bias * factor) if product else (scale, bias + factor)
            if (wanted != _values(steps, *moved)).any():
                break
            (scale, bias), values = moved, wanted
            copy.output[0] = following[0].output[0]
            gone.add(copy.output[0])
        others = [one for one in copy.attribute if one.name not in ("out_scale", "out_bias")]
        del copy.attribute[:]
        copy.attribute.extend(others)
        copy.attribute.append(helper.make_attribute("out_scale", float(scale)))
        copy.attribute.append(helper.make_attribute("out_bias", float(bias)))
        yield copy


def _values(steps: int, scale: np.float32, bias: np.float32) -> NDArray[np.float32]:
    """What thresholds output, for each number of them that is reached."""
    return np.arange(steps + 1, dtype=np.float32) * scale + bias


def _constant(node: NodeProto, constants: Mapping[str, TensorProto]) -> np.float32 | None:
    """The one number that a Mul or Add has as its constant."""
    if node.op_type not in ("Add", "Mul"):
        return None
    known = [name for name in node.input if name in constants]
    if len(known) != 1:
        return None
    value = numpy_helper.to_array(constants[known[0]])
    return np.float32(value.reshape(())) if value.size == 1 else None
