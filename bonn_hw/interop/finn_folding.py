# SPDX-License-Identifier: BSD-3-Clause
"""FINN's folding configuration: the JSON that its ``ApplyConfig`` reads, in our layers' names.

The layers of a type are the same in both, in the same order. Some of what FINN says fixes nothing
here: thresholds, which stand elsewhere than ours (before the first layer, not in the last); the PE
of an image's ``StreamingMaxPool``, which takes all channels at once whatever it says
(``streamingmaxpool.py``); FIFO depths, which were found for FINN's timing; kinds of memory.
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
    """A FINN operator: our stem, its parallelism by FINN's names, its usual implementation."""

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
FORMER = {  # names of other versions
    "MatrixVectorActivation": "MVAU",
    "StreamingFCLayer": "MVAU",
    "ConvolutionInputGenerator1D": "ConvolutionInputGenerator",
    "ElementwiseAdd": "AddStreams",
}
# They have a PE, and no layer of ours is theirs: here they are part of others, or of the host.
ABSORBED = {"Thresholding", "Requant", "ChannelwiseOp", "ElementwiseMul", "LabelSelect"}
FIFOS = "inFIFODepths"
TAPS = "taps_per_beat"  # of windows, in graphs that we wrote; in FINN's it is one
NAME = re.compile(r"([A-Z]\w*?(?:_(?:Batch|hls|rtl|bonn))*)_(0|[1-9]\d*)")


def operator_of(kind: str) -> str:
    """FINN's operator, whatever implements it and however another version calls it."""
    plain = re.sub(r"(_(Batch|hls|rtl|bonn))+$", "", kind)
    return FORMER.get(plain, plain)


@dataclass(frozen=True)
class _Name:
    """FINN's name of a layer: ``kind`` is what its number counts, as ``MVAU_hls``."""

    text: str
    kind: str
    operator: str
    number: int

    @classmethod
    def of(cls, text: str) -> _Name:
        match = NAME.fullmatch(text)
        if match is None:
            raise UserError(
                f"folding: {text} is no name of FINN's, as the others in this file are: keep "
                "FINN's names and ours in files of their own"
            )
        return cls(text, match[1], operator_of(match[1]), int(match[2]))


def is_finn(document: Mapping[str, Any]) -> bool:
    """Whether a folding document is FINN's."""
    return "Defaults" in document or any(NAME.fullmatch(name) for name in document)


def to_own(
    document: Mapping[str, Mapping[str, Any]], graph: DataflowGraph, fifos: bool = False
) -> dict[str, dict[str, Any]]:
    """Name our layers in the place of FINN's, ``{"mvu_0": {"PE": 16, "SIMD": 3}, ...}``.

    Parameters
    ----------
    fifos : bool
        Depths of FIFOs are kept as well: they are in beats of our layers.

    Raises
    ------
    UserError
        If the document has more layers of a type than the graph, one whose parallelism does not
        fit, or one that stands for nothing here: it names the first.
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
                    f"folding: {name.text} has no counterpart: no layer here is a "
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
            alone = next(iter(values.values()))  # where there is one, it is that of both sides
            own[node.name] = {key: values.get(key, alone) for key in ("PE", "SIMD")}
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
    """Say which of an operator's layers each name is.

    FINN counts each implementation apart: ``MVAU_hls_0`` and ``MVAU_rtl_0`` are two layers, and
    only the order of the file, which FINN writes in that of the graph, says which.
    """
    kinds: dict[str, list[int]] = {}
    for name in names:
        kinds.setdefault(name.kind, []).append(name.number)
    if len(kinds) <= 1:
        return {name.text: name.number for name in names}
    if len(names) < count or any(seen != list(range(len(seen))) for seen in kinds.values()):
        raise UserError(
            f"folding: {' and '.join(kinds)} are counted apart, so that only their order in the "
            f"file says which layer each is: name all {count} that the model has of that kind, "
            "in its order, or give them one name"
        )
    return {name.text: place for place, name in enumerate(names)}


def _values(name: _Name, entry: Mapping[str, Any], node: Node) -> dict[str, int]:
    """What an entry says of a layer's parallelism, all or nothing of it."""
    if entry.get("parallel_window"):
        raise UserError(
            f"folding: {name.text} has parallel_window {entry['parallel_window']!r}, but "
            f"{node.name} ({node.origin}) gives the pixels of a window one after the other: set "
            "it to 0, or take that entry out"
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
    """What FINN folds a layer by: nothing if it is a pool of images (see above)."""
    if operator == "StreamingMaxPool" and isinstance(node.kernel, MaxPool):
        sides = zip(node.kernel.input.shape, node.kernel.kernel, strict=False)
        if (1, 1) not in sides:
            return ()
    return OPERATORS[operator].attributes


def layers_of(graph: DataflowGraph, said: Collection[str]) -> dict[str, list[Node | None]]:
    """Our layers by FINN's operator, in order; None for those of FINN's that we do without.

    ``said`` are the operators that a file or graph of FINN's names.
    What a file names tells FINN's versions apart. Windows of one pixel are a ``DownSampler`` if it
    has any. A pool is a ``Pool`` behind a ``ConvolutionInputGenerator`` if its windows overlap, or
    if the file has that and not the operator for pools that need none.
    """
    layers: dict[str, list[Node | None]] = {operator: [] for operator in OPERATORS}
    # The first of each stem is the usual one.
    operators = {operator.stem: name for name, operator in reversed(OPERATORS.items())}
    windows = _windows(graph)
    for node in graph.nodes:
        kernel = node.kernel
        operator = operators.get(kernel.stem)
        if isinstance(kernel, SlidingWindow) and kernel.kernel == (1, 1) and "DownSampler" in said:
            operator = "DownSampler"
        if isinstance(kernel, Pool):
            part = isinstance(kernel, AveragePool) and kernel.kernel != kernel.input.shape[:2]
            if node.name in windows or part or ("Pool" in said and operator not in said):
                operator = "Pool"
                if node.name not in windows:
                    layers["ConvolutionInputGenerator"].append(None)
        if operator:
            layers[operator].append(node)
    return layers


def _windows(graph: DataflowGraph) -> dict[str, str]:
    """Names of the pools whose windows overlap, and of what makes the windows."""
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
    """Write the foldings of a design with the names that FINN gives its specialised layers.

    A ``Pool`` and its windows are left out: FINN wants the same parallelism of both, and has it
    where nothing is said of them. Windows that come a row of taps at a time are written as a tap at
    a time: FINN has nothing between that and whole windows (``parallel_window``).
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
                kept = {key: values[key] for key in attributes}
                document[f"{name}_{OPERATORS[name].backend}_{place}"] = kept
    return document


def of_abstract(design: FoldedDesign) -> dict[str, dict[str, int]]:
    """Foldings of a design with the names that FINN's layers have before they are specialised.

    A ``Pool`` and its windows are named, with the same parallelism.
    """
    foldings = {stage.name: stage.folding for stage in design.stages}
    layers = layers_of(design.graph, {"Pool"})
    makers = _windows(design.graph)
    pools = {makers.get(node.name): node for node in layers["Pool"] if node is not None}
    unseen = [node for node in layers["Pool"] if node is not None and node.name not in makers]
    document: dict[str, dict[str, int]] = {}
    for name, nodes in layers.items():
        for place, node in enumerate(nodes):
            if node is None:
                node = unseen.pop(0)
            elif name == "ConvolutionInputGenerator" and node.name in pools:
                node = pools[node.name]
            folding = foldings[node.name]
            values = {"PE": folding.pe, "SIMD": folding.simd}
            document[f"{name}_{place}"] = {key: values[key] for key in OPERATORS[name].attributes}
    return document
