# SPDX-License-Identifier: BSD-3-Clause
"""FINN's folding configuration: the JSON that its ``ApplyConfig`` reads, in our layers' names.

The layers of a type are the same in both, in the same order. FINN's thresholds stand elsewhere
than ours (before the first layer, not in the last), so they fix nothing here; nor do its FIFO
depths, which were found for FINN's timing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bonn_hw.errors import UserError
from bonn_hw.ir.design import FoldedDesign
from bonn_hw.ir.graph import DataflowGraph, Node


@dataclass(frozen=True)
class _Operator:
    """A FINN operator: our stem, its parallelism by FINN's names, its usual implementation."""

    stem: str
    attributes: tuple[str, ...]
    backend: str


OPERATORS = {
    "MVAU": _Operator("mvu", ("PE", "SIMD"), "hls"),
    "ConvolutionInputGenerator": _Operator("sliding_window", ("SIMD",), "rtl"),
    "FMPadding": _Operator("pad", ("SIMD",), "rtl"),
    "StreamingMaxPool": _Operator("max_pool", ("PE",), "hls"),
    "GlobalAccPool": _Operator("average_pool", ("PE",), "hls"),
    "DuplicateStreams": _Operator("stream_fork", ("PE",), "hls"),
    "AddStreams": _Operator("add", ("PE",), "hls"),
}
FORMER = {  # names of other versions
    "MatrixVectorActivation": "MVAU",
    "StreamingFCLayer": "MVAU",
    "ConvolutionInputGenerator1D": "ConvolutionInputGenerator",
    "Pool": "StreamingMaxPool",
    "ElementwiseAdd": "AddStreams",
}
NAME = re.compile(r"([A-Z][A-Za-z]*(?:1D)?)(?:_(?:Batch|hls|rtl))*_(\d+)")


def is_finn(document: Mapping[str, Any]) -> bool:
    """Whether a folding document is FINN's."""
    return "Defaults" in document or any(NAME.fullmatch(name) for name in document)


def to_own(document: Mapping[str, Any], graph: DataflowGraph) -> dict[str, dict[str, Any]]:
    """Name our layers in the place of FINN's, ``{"mvu_0": {"PE": 16, "SIMD": 3}, ...}``.

    Raises
    ------
    UserError
        If the document has more layers of a type than the graph, or one whose parallelism does not
        fit: it names the first.
    """
    own = {}
    for name, entry in document.items():
        match = NAME.fullmatch(name)
        operator = OPERATORS.get(FORMER.get(match[1], match[1])) if match else None
        if match is None or operator is None:
            continue
        node = _layer(graph, operator.stem, int(match[2]), name)
        values = {key: entry[key] for key in operator.attributes if key in entry}
        if not values:
            continue  # it says something else of the layer
        pe, simd = values.get("PE", values.get("SIMD")), values.get("SIMD", values.get("PE"))
        whole = {"PE": pe, "SIMD": simd}
        _check(node, name, whole)
        own[node.name] = whole
    return own


def _layer(graph: DataflowGraph, stem: str, place: int, name: str) -> Node:
    layers = [node for node in graph.nodes if node.kernel.stem == stem]
    if place >= len(layers):
        raise UserError(
            f"folding: {name} has no counterpart: the model has {len(layers)} layers of that kind "
            f"({stem}); this folding file belongs to another model"
        )
    return layers[place]


def _check(node: Node, name: str, values: Mapping[str, Any]) -> None:
    foldings = list(node.kernel.foldings())
    sides = {"PE": {folding.pe for folding in foldings}, "SIMD": {f.simd for f in foldings}}
    for key, legal in sides.items():
        if values[key] not in legal:
            raise UserError(
                f"folding: {name} has {key} {values[key]!r}, which does not fit {node.name} "
                f"({node.origin}): it must be one of {sorted(legal)}; this file may belong to "
                "another model"
            )


def from_own(design: FoldedDesign) -> dict[str, dict[str, Any]]:
    """Write the foldings of a design with the names that FINN gives its specialised layers."""
    document: dict[str, dict[str, Any]] = {"Defaults": {}}
    for name, operator in OPERATORS.items():
        stages = [stage for stage in design.stages if stage.node.kernel.stem == operator.stem]
        for place, stage in enumerate(stages):
            values = {"PE": stage.folding.pe, "SIMD": stage.folding.simd}
            kept = {key: values[key] for key in operator.attributes}
            document[f"{name}_{operator.backend}_{place}"] = kept
    return document
