# SPDX-License-Identifier: BSD-3-Clause
"""Read folding constraints from JSON: ``{"mvu_0": {"PE": 16, "SIMD": 3}, ...}``, or FINN's form."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bonn_hw.errors import UserError
from bonn_hw.ir.design import FoldedDesign
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.graph import DataflowGraph
from bonn_hw.ir.kernel import Passthrough
from bonn_hw.passes.fifo_sizing import depths_of
from bonn_hw.passes.folding import check_constraints

FORM = 'write {"mvu_0": {"PE": 16, "SIMD": 3, "inFIFODepths": [32]}, ...}'


class FoldingDialect(Protocol):
    """Another project's folding files."""

    def recognises(self, document: Mapping[str, Any]) -> bool:
        """Whether a document is written in this dialect."""

    def to_own(
        self, document: Mapping[str, Any], graph: DataflowGraph, fifos: bool
    ) -> dict[str, dict[str, Any]]:
        """Translate it to bonn_hw's stages; FIFO depths only with ``fifos``. Raises UserError."""


@dataclass(frozen=True)
class FoldingConstraints:
    """Foldings of layers, and depths in beats of the FIFOs before a layer's inputs."""

    foldings: Mapping[str, Folding] = field(default_factory=dict)
    depths: Mapping[tuple[str, int], int] = field(default_factory=dict)


def read_constraints(
    path: Path, graph: DataflowGraph, dialects: Sequence[FoldingDialect] = ()
) -> FoldingConstraints:
    """Read a folding file in bonn_hw's own form, or in another dialect.

    ``SIMD`` alone is enough for a layer that has the same lanes on both sides. ``inFIFODepths`` has
    one depth per input, 0 for no FIFO. For layers without it, FIFOs are sized as usual.

    Raises
    ------
    UserError
        If the file cannot be read, does not have this form, contradicts itself or does not fit
        the graph.
    """
    try:
        document = json.loads(path.read_text(), object_pairs_hook=_once)
    except OSError as error:
        raise UserError(f"folding file {path} cannot be read: {error.strerror}") from error
    except UserError as error:
        raise UserError(f"folding file {path}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"folding file {path} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise UserError(f"folding file {path} is not a JSON object: {FORM}")
    return constraints_of(document, f"folding file {path}", graph, dialects)


def constraints_of(
    document: Mapping[str, Any],
    origin: str,
    graph: DataflowGraph,
    dialects: Sequence[FoldingDialect] = (),
    fifos: bool = False,
) -> FoldingConstraints:
    """Read the constraints in a document; ``origin`` is its name in messages.

    FIFO depths of another dialect are used only with ``fifos``, since the file's depths were found
    for hardware with other timing.
    """
    for name, entry in document.items():
        if not isinstance(entry, dict):
            raise UserError(f"{origin}: {name} has {entry!r}: {FORM}")
    for dialect in dialects:
        if dialect.recognises(document):
            document = dialect.to_own(document, graph, fifos)
    foldings, depths = {}, {}
    for name, entry in document.items():
        if not entry or not entry.keys() <= {"PE", "SIMD", "inFIFODepths"}:
            raise UserError(f"{origin}: {name} has {entry!r}: {FORM}")
        if "PE" in entry or "SIMD" in entry:
            foldings[name] = _folding(origin, name, entry)
        for place, depth in enumerate(_depths(origin, name, entry, graph)):
            depths[name, place] = depth
    check_constraints(graph, foldings)
    return FoldingConstraints(foldings, depths)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for name, entry in pairs:
        if name in entries and entries[name] != entry:
            raise UserError(
                f"{name} is given twice, as {entries[name]!r} and as {entry!r}: keep one of them"
            )
        entries[name] = entry
    return entries


def _folding(origin: str, name: str, entry: Mapping[str, Any]) -> Folding:
    if "SIMD" not in entry:
        raise UserError(f"{origin}: {name} has {entry!r}, without SIMD: {FORM}")
    values = (entry.get("PE", entry["SIMD"]), entry["SIMD"])
    if not all(type(value) is int and value > 0 for value in values):  # bool is no int here
        raise UserError(f"{origin}: {name} has {entry!r}: PE and SIMD are positive integers")
    return Folding(*values)


def _depths(origin: str, name: str, entry: Mapping[str, Any], graph: DataflowGraph) -> list[int]:
    if "inFIFODepths" not in entry:
        return []
    depths = entry["inFIFODepths"]
    nodes = {node.name: node for node in graph.nodes}
    if name not in nodes:
        raise UserError(f"folding: there is no layer {name!r}; the layers are {', '.join(nodes)}")
    count = len(nodes[name].inputs)
    if (
        not isinstance(depths, list)
        or len(depths) != count
        or not all(type(depth) is int and depth >= 0 for depth in depths)
    ):
        raise UserError(
            f"{origin}: {name} has inFIFODepths {depths!r}: one depth of 0 or more for "
            f"each of its {count} inputs"
        )
    return depths


def constraints_from(design: FoldedDesign) -> dict[str, dict[str, Any]]:
    """Write the constraints that reproduce a design, FIFOs included."""
    depths = depths_of(design)
    return {
        stage.name: {
            "PE": stage.folding.pe,
            "SIMD": stage.folding.simd,
            "inFIFODepths": [depths.get(name, 0) for name in stage.node.inputs],
        }
        for stage in design.stages
        if not isinstance(
            stage.node.kernel, Passthrough
        )  # converters and FIFOs follow from the others
    }
