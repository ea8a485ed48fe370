# SPDX-License-Identifier: BSD-3-Clause
"""FINN's folding configuration: the JSON that its ``ApplyConfig`` reads, translated to our names.

Both graphs have the same layers of a type, in the same order. Some entries are ignored here: those
of thresholds, which FINN has at other places (before the first layer, not in the last); the PE of
an image's ``StreamingMaxPool``, which has all channels in parallel whatever its PE
(``streamingmaxpool.py``); FIFO depths, which were chosen for FINN's timing; and memory types.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from bonn_hw.errors import UserError
from bonn_hw.ir.design import FoldedDesign
from bonn_hw.ir.graph import DataflowGraph, Node
from bonn_hw.ir.kernel import Passthrough
from bonn_hw.kernels.average_pool import AveragePool
from bonn_hw.kernels.max_pool import MaxPool, Pool
from bonn_hw.kernels.sliding_window import SlidingWindow


@dataclass(frozen=True)
class _Operator:
    """A FINN operator: our kernel, FINN's attributes for its folding, its usual backend."""

    stem: str
    attributes: tuple[str, ...]
    backend: str


OPERATORS = {
    "MVAU": _Operator("mvu", ("PE", "SIMD"), "hls"),
    "ConvolutionInputGenerator": _Operator("sliding_window", ("SIMD",), "rtl"),
    "DownSampler": _Operator("sliding_window", ("SIMD",), "hls"),  # windows of one pixel
    "FMPadding": _Operator("pad", ("SIMD",), "rtl"),
    "StreamingMaxPool": _Operator("max_pool", ("PE",), "hls"),
    "GlobalAccPool": _Operator("average_pool", ("PE",), "hls"),
    "Pool": _Operator("max_pool or average_pool", ("PE",), "hls"),  # all others
    "DuplicateStreams": _Operator("stream_fork", ("PE",), "hls"),
    "AddStreams": _Operator("add", ("PE",), "hls"),
}
FORMER = {  # names in other versions of FINN
    "MatrixVectorActivation": "MVAU",
    "StreamingFCLayer": "MVAU",
    "VectorVectorActivation": "VVAU",
    "Vector_Vector_Activate": "VVAU",
    "ConvolutionInputGenerator1D": "ConvolutionInputGenerator",
    "ElementwiseAdd": "AddStreams",
    "InnerShuffle": "Shuffle",
    "OuterShuffle": "Shuffle",
    "Thresholding_Binary_Search": "Thresholding",
}
# They have a PE, but are no layers here: they are part of other layers, or the host computes them.
ABSORBED = {"Thresholding", "Requant", "ChannelwiseOp", "ElementwiseMul", "LabelSelect"}
FIFOS = "inFIFODepths"
TAPS = "taps_per_beat"  # of a sliding window, in graphs that bonn_hw wrote; FINN's own have one
NAME = re.compile(r"([A-Z]\w*?(?:_(?:Batch|hls|rtl|bonn))*)_(0|[1-9]\d*)")


def operator_of(kind: str) -> str:
    """FINN's operator without the backend and in the current spelling: MVAU for ``MVAU_hls``."""
    plain = re.sub(r"(_(Batch|hls|rtl|bonn))+$", "", kind)
    return FORMER.get(plain, plain)


@dataclass(frozen=True)
class _Name:
    """FINN's name of a layer, such as ``MVAU_hls_3``: kind ``MVAU_hls``, number 3."""

    text: str
    kind: str
    operator: str
    number: int

    @classmethod
    def of(cls, text: str) -> _Name:
        match = NAME.fullmatch(text)
        if match is None:
            raise UserError(
                f"folding: {text} is not a FINN layer name, but others in this file are: keep "
                "FINN's names and ours in separate files"
            )
        return cls(text, match[1], operator_of(match[1]), int(match[2]))


def is_finn(document: Mapping[str, Any]) -> bool:
    """Whether a folding document has FINN's layer names."""
    return "Defaults" in document or any(NAME.fullmatch(name) for name in document)


def to_own(
    document: Mapping[str, Mapping[str, Any]], graph: DataflowGraph, fifos: bool = False
) -> dict[str, dict[str, Any]]:
    """Translate FINN's layer names into ours: ``{"mvu_0": {"PE": 16, "SIMD": 3}, ...}``.

    Parameters
    ----------
    fifos : bool
        Keep FIFO depths as well; they must be in beats of our layers.

    Raises
    ------
    UserError
        If the document has more layers of a type than the graph, a layer whose PE or SIMD does
        not fit, or one without a counterpart here. The message names the first.
    """
    _check_defaults(document.get("Defaults", {}))
    names = [_Name.of(text) for text in document if text != "Defaults"]
    layers = layers_of(graph, {name.operator for name in names})
    places: dict[str, int] = {}
    for operator, ours in layers.items():
        places |= _places([name for name in names if name.operator == operator], len(ours))
    own: dict[str, dict[str, Any]] = {}
    for name in names:
        entry = document[name.text]
        if name.operator not in OPERATORS:
            if name.operator not in ABSORBED and entry.keys() & {"PE", "SIMD"}:
                raise UserError(
                    f"folding: {name.text} has no counterpart: no layer here is of type "
                    f"{name.operator}; this folding file belongs to another model"
                )
            continue
        ours = layers[name.operator]
        if places[name.text] >= len(ours):
            raise UserError(
                f"folding: {name.text} has no counterpart: the model has {len(ours)} layers of "
                f"that kind ({OPERATORS[name.operator].stem}); this folding file belongs to "
                "another model"
            )
        node = ours[places[name.text]]
        if node is None:
            continue
        if values := _values(name, entry, node):
            only = next(iter(values.values()))  # a single value is both PE and SIMD
            own[node.name] = {key: values.get(key, only) for key in ("PE", "SIMD")}
            own[node.name]["PE"] *= entry.get(TAPS, 1)
        if fifos and FIFOS in entry:
            own.setdefault(node.name, {})[FIFOS] = entry[FIFOS]
    return own


def _check_defaults(defaults: Mapping[str, Any]) -> None:
    for key in ("PE", "SIMD", "parallel_window"):
        if key in defaults:
            raise UserError(
                f"folding: Defaults has {key} {defaults[key]!r}: foldings are read layer by "
                "layer, so write it into the entry of each layer that it is meant for"
            )


def _places(names: list[_Name], count: int) -> dict[str, int]:
    """The index of each name among the layers of its operator.

    FINN numbers each backend separately: ``MVAU_hls_0`` and ``MVAU_rtl_0`` are two layers. FINN
    writes its file in the order of the graph, so the order of the file gives the index.
    """
    kinds: dict[str, list[int]] = {}
    for name in names:
        kinds.setdefault(name.kind, []).append(name.number)
    if len(kinds) <= 1:
        return {name.text: name.number for name in names}
    if len(names) < count or any(used != list(range(len(used))) for used in kinds.values()):
        raise UserError(
            f"folding: {' and '.join(kinds)} are numbered separately, so that only their order in "
            f"the file says which layer each is: list all {count} that the model has of that kind, "
            f"in its order, or name them {names[0].operator}_0, {names[0].operator}_1, ..."
        )
    return {name.text: place for place, name in enumerate(names)}


def _values(name: _Name, entry: Mapping[str, Any], node: Node) -> dict[str, int]:
    """PE and SIMD of an entry: all that the layer has, or none."""
    if entry.get("parallel_window"):
        raise UserError(
            f"folding: {name.text} has parallel_window {entry['parallel_window']!r}, but "
            f"{node.name} ({node.origin}) outputs the pixels of a window one after the other: "
            "set it to 0, or remove that entry"
        )
    attributes = _attributes(name.operator, node)
    values = {key: entry[key] for key in attributes if key in entry}
    foldings = list(node.kernel.foldings())
    sides = {"PE": {folding.pe for folding in foldings}, "SIMD": {f.simd for f in foldings}}
    for key, value in values.items():
        if type(value) is not int or value not in sides[key]:  # bool is no int here
            raise UserError(
                f"folding: {name.text} has {key} {value!r}, which does not fit {node.name} "
                f"({node.origin}): it must be one of {sorted(sides[key])}; this file may belong "
                "to another model"
            )
    for key in attributes:
        if values and key not in values:
            raise UserError(
                f"folding: {name.text} has no {key}: {node.name} ({node.origin}) is fixed by "
                f"{' and '.join(attributes)}, so give both"
            )
    return values


def _attributes(operator: str, node: Node) -> tuple[str, ...]:
    """The attributes that fold a layer in FINN; none for a ``StreamingMaxPool`` of images."""
    if operator == "StreamingMaxPool" and isinstance(node.kernel, MaxPool):
        sides = zip(node.kernel.input.shape, node.kernel.kernel, strict=False)
        if (1, 1) not in sides:
            return ()
    return OPERATORS[operator].attributes


def layers_of(graph: DataflowGraph, listed: Collection[str]) -> dict[str, list[Node | None]]:
    """Our layers by FINN's operator, in order; None for a FINN layer that has no layer here.

    Parameters
    ----------
    listed
        The operators in a file or graph of FINN. They depend on FINN's version: a sliding window of
        one pixel is a ``DownSampler`` if ``listed`` has that. A pool is a ``Pool`` behind a
        ``ConvolutionInputGenerator`` if its windows overlap, or if ``listed`` has ``Pool`` and
        not the operator for pools without a sliding window.
    """
    layers: dict[str, list[Node | None]] = {operator: [] for operator in OPERATORS}
    # The first of each stem is the usual one.
    operators = {operator.stem: name for name, operator in reversed(OPERATORS.items())}
    windows = _windows(graph)
    for node in graph.nodes:
        kernel = node.kernel
        operator = operators.get(kernel.stem)
        if (
            isinstance(kernel, SlidingWindow)
            and kernel.kernel == (1, 1)
            and "DownSampler" in listed
        ):
            operator = "DownSampler"
        if isinstance(kernel, Pool):
            part = isinstance(kernel, AveragePool) and kernel.kernel != kernel.input.shape[:2]
            if node.name in windows or part or ("Pool" in listed and operator not in listed):
                operator = "Pool"
                if node.name not in windows:
                    layers["ConvolutionInputGenerator"].append(None)
        if operator:
            layers[operator].append(node)
    return layers


def _windows(graph: DataflowGraph) -> dict[str, str]:
    """Names of the pools with overlapping windows: name of their sliding window."""
    makers: dict[str, str] = {}  # by tensor
    windows = {}
    for node in graph.nodes:
        if isinstance(node.kernel, SlidingWindow):
            makers[node.outputs[0]] = node.name
        elif node.inputs[0] in makers:
            if isinstance(node.kernel, Passthrough):
                makers[node.outputs[0]] = makers[node.inputs[0]]
            elif isinstance(node.kernel, Pool):
                windows[node.name] = makers[node.inputs[0]]
    return windows


def from_own(design: FoldedDesign) -> dict[str, dict[str, Any]]:
    """The foldings of a design, by FINN's names of specialised layers, such as ``MVAU_hls_0``.

    A ``Pool`` and its sliding window are left out: FINN needs the same folding for both, and has
    that by default. A sliding window with several taps per beat is written as one tap per beat:
    FINN has only that and whole windows (``parallel_window``).
    """
    foldings = {stage.name: stage.folding for stage in design.stages}
    pooled = set(_windows(design.graph).values())
    document: dict[str, dict[str, Any]] = {"Defaults": {}}
    for name, nodes in layers_of(design.graph, OPERATORS.keys()).items():
        for place, node in enumerate(nodes):
            if node is None or name == "Pool" or node.name in pooled:
                continue
            folding = foldings[node.name]
            values = {"PE": folding.pe, "SIMD": folding.simd}
            if attributes := _attributes(name, node):
                chosen = {key: values[key] for key in attributes}
                document[f"{name}_{OPERATORS[name].backend}_{place}"] = chosen
    return document


def of_abstract(design: FoldedDesign) -> dict[str, dict[str, int]]:
    """The foldings of a design, by FINN's names before specialisation, such as ``MVAU_0``.

    A ``Pool`` and its sliding window are included, with the same folding.
    """
    foldings = {stage.name: stage.folding for stage in design.stages}
    layers = layers_of(design.graph, {"Pool"})
    makers = _windows(design.graph)
    pools = {makers.get(node.name): node for node in layers["Pool"] if node is not None}
    without_window = [
        node for node in layers["Pool"] if node is not None and node.name not in makers
    ]
    document: dict[str, dict[str, int]] = {}
    for name, nodes in layers.items():
        for place, node in enumerate(nodes):
            if node is None:
                node = without_window.pop(0)
            elif name == "ConvolutionInputGenerator" and node.name in pools:
                node = pools[node.name]
            folding = foldings[node.name]
            values = {"PE": folding.pe, "SIMD": folding.simd}
            document[f"{name}_{place}"] = {key: values[key] for key in OPERATORS[name].attributes}
    return document
