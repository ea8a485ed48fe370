# SPDX-License-Identifier: BSD-3-Clause
"""The wires of a device, whatever its configuration: prjxray's tile types and their connections.

A *node* is one piece of metal: wires of neighbouring tiles that are always connected. Only what is
asked for is read, and kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bonn_hw.bitstream.open.xray import Database

Wire = tuple[str, str]  # tile, wire
Node = frozenset[Wire]
Step = tuple[int, int, str]  # to a neighbour: columns, rows, its wire
# A whole block memory is two halves with the same pins and bits: only the halves are read.
WHOLE = "RAMBFIFO36E1"
# The lower half can be a FIFO too, and its pins are named so; their wires have the usual names.
FIFO, FIFO_WIRE = "FIFO18E1", "BRAM_FIFO18_"
ALWAYS, DEFAULT = "always", "default"


@dataclass(frozen=True)
class Site:
    """A site of a tile type: its type, its column and row in the tile, and its pins' wires."""

    kind: str
    column: int
    row: int
    wires: Mapping[str, str]


@dataclass(frozen=True)
class TileType:
    """What all tiles of a type have.

    Attributes
    ----------
    outputs : mapping
        Wire of an output pin -> index of the site and the pin's name.
    pips : mapping
        ``always`` and ``default`` -> wire -> the wires that drive it.
    """

    wires: frozenset[str]
    sites: tuple[Site, ...]
    outputs: Mapping[str, tuple[int, str]]
    pips: Mapping[str, Mapping[str, tuple[str, ...]]]


class Wiring:
    """The wires of a device."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._types: dict[str, TileType] = {}
        self._sides: dict[str, dict[str, list[tuple[str, Step]]]] = {}
        self._nodes: dict[Wire, Node] = {}

    def type(self, tile: str) -> TileType:
        """The type of a tile."""
        kind = self.database.tiles[tile]["type"]
        if kind not in self._types:
            self._types[kind] = self._read(kind)
        return self._types[kind]

    def node(self, wire: Wire) -> Node:
        """All wires that are the same piece of metal."""
        if wire not in self._nodes:
            found, left = {wire}, [wire]
            while left:
                for one in self._joined(*left.pop()):
                    if one not in found:
                        found.add(one)
                        left.append(one)
            node = frozenset(found)
            self._nodes.update(dict.fromkeys(node, node))
        return self._nodes[wire]

    def _joined(self, tile: str, name: str) -> Iterator[Wire]:
        """The wires of neighbours that a wire is connected to."""
        tiles = self.database.tiles
        here = tiles[tile]
        for kind, (columns, rows, other) in self._neighbours(here["type"]).get(name, ()):
            there = self._grid.get((here["grid_x"] + columns, here["grid_y"] + rows))
            if there is not None and tiles[there]["type"] == kind:
                yield there, other

    @cached_property
    def _grid(self) -> Mapping[tuple[int, int], str]:
        return {(one["grid_x"], one["grid_y"]): tile for tile, one in self.database.tiles.items()}

    @cached_property
    def _connections(self) -> Mapping[str, list[tuple[Any, bool]]]:
        """Type of a tile -> the connections in which it is the first or (True) the second."""
        path = self.database.root / self.database.device / "tileconn.json"
        by_type: dict[str, list[tuple[Any, bool]]] = {}
        for one in json.loads(path.read_text()):
            for second in (False, True):
                by_type.setdefault(one["tile_types"][second], []).append((one, second))
        return by_type

    def _neighbours(self, kind: str) -> Mapping[str, list[tuple[str, Step]]]:
        """Wire of a tile type -> the wires of neighbours of some type that are connected to it."""
        if kind not in self._sides:
            sides: dict[str, list[tuple[str, Step]]] = {}
            for one, second in self._connections.get(kind, ()):
                columns, rows = (-delta if second else delta for delta in one["grid_deltas"])
                other_kind = one["tile_types"][not second]
                for pair in one["wire_pairs"]:
                    step = (other_kind, (columns, rows, pair[not second]))
                    sides.setdefault(pair[second], []).append(step)
            self._sides[kind] = sides
        return self._sides[kind]

    def _read(self, kind: str) -> TileType:
        facts = json.loads((self.database.root / f"tile_type_{kind}.json").read_text())
        sites, outputs, hidden = [], dict[str, tuple[int, str]](), set[str]()
        for index, one in enumerate(facts["sites"]):
            named = {name: pin["wire"] for name, pin in one["site_pins"].items() if pin}
            drives = {named[name] for name in self._outputs(one["type"]) & named.keys()}
            if one["type"] == FIFO:
                named = {wire.removeprefix(FIFO_WIRE): wire for wire in named.values()}
            sites.append(Site(one["type"], one["x_coord"], one["y_coord"], named))
            if one["type"] == WHOLE:
                hidden.update(named.values())
            elif one["type"] != "TIEOFF":
                outputs |= {wire: (index, name) for name, wire in named.items() if wire in drives}
        pips: dict[str, dict[str, tuple[str, ...]]] = {ALWAYS: {}, DEFAULT: {}}
        for state, sink, driver in self._fixed(kind, facts):
            if state in pips and driver not in hidden:
                pips[state][sink] = (*pips[state].get(sink, ()), driver)
        return TileType(frozenset(facts["wires"]), tuple(sites), outputs, pips)

    def _outputs(self, kind: str) -> set[str]:
        """Names of a site type's output pins."""
        facts = json.loads((self.database.root / f"site_type_{kind}.json").read_text())
        return {name for name, one in facts["site_pins"].items() if one["direction"] == "OUT"}

    def _fixed(self, kind: str, facts: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
        """State, sink and driver of a tile type's pips without bits."""
        file = self.database.root / f"ppips_{kind.lower()}.db"
        if file.is_file():
            for line in file.read_text().splitlines():
                name, state = line.split()
                _, sink, driver = name.split(".")
                yield state, sink, driver
        elif not (self.database.root / f"segbits_{kind.lower()}.db").is_file():
            for pip in facts["pips"].values():
                yield ALWAYS, pip["dst_wire"], pip["src_wire"]
