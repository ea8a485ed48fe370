# SPDX-License-Identifier: BSD-3-Clause
"""Reading the attributes of FINN's hardware graph: PE, SIMD and FIFO depths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnx import ModelProto, NodeProto, helper

from bonn_hw.interop.finn_folding import FIFOS, TAPS, operator_of

DOMAIN = "finn.custom_op.fpgadataflow"
FOLDED = (
    "MVAU",
    "ConvolutionInputGenerator",
    "FMPadding",
    "Pool",
    "AddStreams",
    "DuplicateStreams",
)
QUEUES = ("StreamingFIFO", "StreamingDataWidthConverter")


def foldings(model: ModelProto) -> dict[str, dict[str, Any]]:
    """PE and SIMD of the layers of a graph, for example ``{"MVAU_0": {"PE": 16, "SIMD": 3}, ...}``.

    The number in a name counts the layers of one type from 0. If the graph has FIFOs,
    ``inFIFODepths`` are the depths of those before a layer, in beats of the layer; 0 for no FIFO.
    Layers for which bonn_hw has no counterpart are left out.
    """
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    sized = any(operator_of(node.op_type) == "StreamingFIFO" for node in graph.node)
    constants = {one.name for one in graph.initializer}
    foldings_by_name: dict[str, dict[str, Any]] = {}
    counts: dict[str, int] = {}
    for node in graph.node:
        kind, attributes = operator_of(node.op_type), node_attributes(node)
        if not node.domain.startswith(DOMAIN) or kind not in FOLDED:
            continue
        streamed = [name for name in node.input if name not in constants]
        if kind == "AddStreams" and len(streamed) < 2:
            continue
        values: dict[str, Any] = {
            key: int(attributes[key]) for key in ("PE", "SIMD") if key in attributes
        }
        if TAPS in attributes:
            values[TAPS] = int(attributes[TAPS])
        if sized:
            # Our pools make their windows themselves, so the FIFO is the one before the windows.
            before = makers.get(streamed[0]) if kind == "Pool" else None
            ends = streamed if before is None else [before.input[0]]
            lanes = values.get("SIMD", values.get("PE", 1))
            values[FIFOS] = [_waiting(end, makers, lanes) for end in ends]
        foldings_by_name[f"{kind}_{counts.get(kind, 0)}"] = values
        counts[kind] = counts.get(kind, 0) + 1
    return foldings_by_name


def _waiting(tensor: str, makers: Mapping[str, NodeProto], lanes: int) -> int:
    """How many beats of ``lanes`` elements the FIFOs before a tensor hold."""
    elements = 0
    while tensor in makers and operator_of(makers[tensor].op_type) in QUEUES:
        attributes = node_attributes(makers[tensor])
        if "depth" in attributes:
            elements += int(attributes["depth"]) * int(attributes["folded_shape"][-1])
        tensor = makers[tensor].input[0]
    return -(-elements // lanes)


def node_attributes(node: NodeProto) -> dict[str, Any]:
    """The attributes of a node, with bytes decoded to text."""
    return {
        one.name: value.decode(errors="replace")
        if isinstance(value := helper.get_attribute_value(one), bytes)
        else value
        for one in node.attribute
    }
