# SPDX-License-Identifier: BSD-3-Clause
"""FINN's graphs -> QONNX: the same integers, computed by standard ONNX operators and quantisers.

Read are hardware graphs, and graphs that FINN has streamlined but not yet made hardware of. FINN's
tensors hold channels last, bits are 0 and 1, binary sums are popcounts p of MW bits with thresholds
t on them. Here channels come second, bits are -1 and +1, sums are 2 p - MW, and a threshold is a
subtraction of 2 t - MW in front of a sign.
"""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper

from bonn_hw.errors import UnsupportedModel
from bonn_hw.interop import finn_onnx
from bonn_hw.interop.finn_attributes import DOMAIN, node_attributes
from bonn_hw.interop.finn_folding import operator_of
from bonn_hw.interop.finn_layers import HARDWARE, MOVERS, SAME_LAYOUT
from bonn_hw.interop.finn_partitions import has_partitions
from bonn_hw.interop.finn_streamlined import CONSTANT_MATRIX, STREAMLINED
from bonn_hw.interop.finn_translation import QUANTISERS, Translation

OPSET = 13  # of the operators that are written here
DOMAINS = ("qonnx.custom_op.general", "qonnx.custom_op.channels_last", "finn.custom_op.general")
LOWERED = ("Im2Col", "XnorPopcountMatMul", "MaxPoolNHWC", "QuantAvgPool2d")


def is_finn(model: ModelProto) -> bool:
    """Whether a model is a graph of FINN's."""
    thresholds = any(
        node.op_type == "MultiThreshold" and node.domain in DOMAINS for node in model.graph.node
    )
    return thresholds or has_partitions(model) or _is_lowered(model)


def _is_lowered(model: ModelProto) -> bool:
    """Whether a graph has hardware nodes, or products of matrices in place of convolutions."""
    return any(
        node.domain.startswith(DOMAIN) or (node.domain in DOMAINS and node.op_type in LOWERED)
        for node in model.graph.node
    )


def translate(model: ModelProto) -> ModelProto:
    """Translate a graph of FINN's into QONNX; nodes keep their names.

    Raises
    ------
    UnsupportedModel
        For operators and attributes that have no exact counterpart, with the node's name.
    """
    if not _is_lowered(model):
        return finn_onnx.to_qonnx(model)
    here = Translation(model)
    graph = model.graph
    entries = [one for one in graph.input if one.name not in here.constants]
    if len(entries) != 1 or len(graph.output) != 1:
        raise UnsupportedModel(
            f"FINN's graph has {len(entries)} inputs and {len(graph.output)} outputs; one of each "
            "is supported"
        )
    (entry,), (exit_,) = entries, graph.output
    here.names[entry.name] = entry.name
    here.ranks[entry.name] = len(entry.type.tensor_type.shape.dim)
    here.outside.add(entry.name)
    for node in graph.node:
        _write(here, node)
    if exit_.name not in here.names:
        raise UnsupportedModel(f"FINN's graph has no node that computes its output {exit_.name!r}")
    last = here.names[exit_.name]
    output = helper.make_tensor_value_info(last, TensorProto.FLOAT, None)
    translated = helper.make_graph(
        here.nodes, graph.name or "finn", [entry], [output], here.initializers
    )
    versions = [one.version for one in model.opset_import if one.domain in ("", "ai.onnx")]
    imports = [helper.make_opsetid("", max(OPSET, *versions)), helper.make_opsetid(QUANTISERS, 1)]
    whole = helper.make_model(translated, opset_imports=imports)
    whole.metadata_props.extend(model.metadata_props)
    for note in graph.quantization_annotation:
        if note.tensor_name == entry.name and entry.name in here.outside:
            whole.graph.quantization_annotation.append(note)
    return whole


def _write(here: Translation, node: NodeProto) -> None:
    attributes = node_attributes(node)
    here.label = node.doc_string or node.name
    matrix = node.op_type == "MatMul" and node.input[1] in here.constants
    if node.domain.startswith(DOMAIN):
        operator = operator_of(node.op_type)
        write = HARDWARE.get(operator)
        if write is None:
            raise UnsupportedModel(
                f"{node.name}: FINN's operator {node.op_type} is not supported; supported "
                f"are {', '.join(sorted(HARDWARE))}"
            )
        if node.input[0] in here.outside and operator not in MOVERS:
            here.host.add(node.input[0])
            here.quantise_input(node, attributes)
    elif node.domain in DOMAINS and node.op_type in STREAMLINED:
        operator, write = node.op_type, STREAMLINED[node.op_type]
        here.outside -= set(node.input)
    elif matrix and _is_whole(here, node.input[1]):
        operator, write = node.op_type, CONSTANT_MATRIX
        here.outside -= set(node.input)
    else:
        _standard(here, node)
        return
    write(here, node, attributes)
    if operator not in SAME_LAYOUT or here.last & set(node.input):
        here.last.update(node.output)
    if here.outside & set(node.input):
        here.outside.update(node.output)


def _is_whole(here: Translation, name: str) -> bool:
    """Whether a constant is a matrix of integers."""
    value = here.constants[name]
    return value.ndim == 2 and bool((value == np.rint(value)).all())


def _standard(here: Translation, node: NodeProto) -> None:
    """Copy a standard ONNX node; transpositions between the two layouts are dropped."""
    streamed = [name for name in node.input if name in here.names]
    if not streamed:
        _copy(here, node, [here.constant(here.constants[name], here.constants[name].dtype)
                           if name in here.constants else name for name in node.input])  # fmt: skip
        return
    source, output = streamed[0], node.output[0]
    if here.outside & set(streamed):
        here.outside.add(output)
    if node.op_type == "Transpose" and here.ranks[here.names[source]] == 4:
        order = tuple(node_attributes(node)["perm"])
        if order not in ((0, 2, 3, 1), (0, 3, 1, 2)):
            raise UnsupportedModel(f"{node.name}: Transpose by {order} among FINN's hardware nodes")
        here.names[output] = here.names[source]
        if order == (0, 2, 3, 1):
            here.last.add(output)
        return
    last = bool(here.last & set(streamed))
    image = last and here.ranks[here.names[source]] == 4
    flattens = node.op_type in ("Flatten", "Reshape")
    if image and flattens:
        here.names[source] = here.flat(here.names[source], node.name)
    elif image:
        here.last.add(output)
    inputs = []
    for name in node.input:
        if name in here.names:
            inputs.append(here.names[name])
        elif name in here.constants:
            value = here.constants[name]
            if image and value.ndim == 4:
                value = value.transpose(0, 3, 1, 2)
            elif image and not flattens and value.ndim == 1 and value.size > 1:
                value = value.reshape(1, -1, 1, 1)
            inputs.append(here.constant(value, value.dtype))
        else:
            inputs.append(name)
    _copy(here, node, inputs)
    for name in node.output:
        here.names[name] = name
        here.ranks[name] = here.ranks[here.names[source]]
    if node.op_type == "Flatten":
        here.ranks[output] = 2
    elif node.op_type == "Reshape" and node.input[1] in here.constants:
        here.ranks[output] = here.constants[node.input[1]].size


def _copy(here: Translation, node: NodeProto, inputs: list[str]) -> None:
    copy = NodeProto()
    copy.CopyFrom(node)
    copy.input[:] = inputs
    old = [one for one in copy.attribute if one.name == "axes"]
    if node.op_type in ("Squeeze", "Unsqueeze") and old:  # before operator set 13
        copy.input.append(here.constant(list(old[0].ints), np.int64))
        copy.attribute.remove(old[0])
    here.nodes.append(copy)
