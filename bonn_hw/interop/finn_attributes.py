# SPDX-License-Identifier: BSD-3-Clause
"""What a hardware graph of FINN's states of its layers: attributes, PE and SIMD, FIFOs."""

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
    """PE and SIMD that a graph states, by names that count each kind of layer from 0.

    If it has FIFOs, it says how deep each is: ``inFIFODepths`` are those before a layer, in its own
    beats, 0 for none. What has a counterpart in none of our layers is left out.
    """
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    sized = any(operator_of(node.op_type) == "StreamingFIFO" for node in graph.node)
    constants = {one.name for one in graph.initializer}
    kept: dict[str, dict[str, Any]] = {}
    counts: dict[str, int] = {}
    for node in graph.node:
        kind, facts = operator_of(node.op_type), attributes(node)
        if not node.domain.startswith(DOMAIN) or kind not in FOLDED:
            continue
        streamed = [name for name in node.input if name not in constants]
        if kind == "AddStreams" and len(streamed) < 2:
            continue
        values: dict[str, Any] = {key: int(facts[key]) for key in ("PE", "SIMD") if key in facts}
        if TAPS in facts:
            values[TAPS] = int(facts[TAPS])
        if sized:
            # A pool's windows are the pool's own here: what waits, waits before them.
            before = makers.get(streamed[0]) if kind == "Pool" else None
            ends = streamed if before is None else [before.input[0]]
            lanes = values.get("SIMD", values.get("PE", 1))
            values[FIFOS] = [_waiting(end, makers, lanes) for end in ends]
        kept[f"{kind}_{counts.get(kind, 0)}"] = values
        counts[kind] = counts.get(kind, 0) + 1
    return kept


def _waiting(tensor: str, makers: Mapping[str, NodeProto], lanes: int) -> int:
    """How many beats of so many lanes the FIFOs before a tensor hold."""
    elements = 0
    while tensor in makers and operator_of(makers[tensor].op_type) in QUEUES:
        facts = attributes(makers[tensor])
        if "depth" in facts:
            elements += int(facts["depth"]) * int(facts["folded_shape"][-1])
        tensor = makers[tensor].input[0]
    return -(-elements // lanes)


def attributes(node: NodeProto) -> dict[str, Any]:
    """Attributes of a node, text as text."""
    return {
        one.name: value.decode()
        if isinstance(value := helper.get_attribute_value(one), bytes)
        else value
        for one in node.attribute
    }
