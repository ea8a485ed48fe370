# SPDX-License-Identifier: BSD-3-Clause
"""Enabled features -> who drives a pin.

A *pip* joins a node to the node that drives it. Some pips have bits, some are always on, and some
are on when no other pip drives their node; the last ones drive 1 (VCC_WIRE).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bonn_hw.bitstream.readback.features import Enabled
from bonn_hw.bitstream.readback.frames import ReadbackFault
from bonn_hw.bitstream.readback.wiring import ALWAYS, DEFAULT, Node, Site, TileType, Wire, Wiring


@dataclass(frozen=True)
class Pin:
    """A pin of a site; ``site`` is the site's index in the tile's type."""

    tile: str
    site: int
    name: str

    def __str__(self) -> str:
        return f"{self.tile}[{self.site}].{self.name}"


class Fabric:
    """The wires of a configured device; searches only where it is asked."""

    def __init__(self, wiring: Wiring, enabled: Mapping[str, Enabled]) -> None:
        self.wiring = wiring
        self._enabled = enabled
        self._on: dict[str, dict[str, list[str]]] = {}
        self._sources: dict[Node, Pin | int | None] = {}

    def enabled(self, tile: str) -> Enabled:
        """What is enabled in a tile."""
        return self._enabled.get(tile, Enabled())

    def type(self, tile: str) -> TileType:
        """The type of a tile."""
        return self.wiring.type(tile)

    def site(self, pin: Pin) -> Site:
        """The site of a pin."""
        return self.type(pin.tile).sites[pin.site]

    def source(self, pin: Pin) -> Pin | int | None:
        """What drives an input pin: an output pin, a constant, or nothing.

        Raises
        ------
        ReadbackFault
            If wires on the way have two drivers, or drive themselves.
        """
        wire = self.site(pin).wires.get(pin.name)
        return None if wire is None else self._source((pin.tile, wire))

    def _source(self, wire: Wire) -> Pin | int | None:
        """Follow the pips back from a wire."""
        passed: list[Node] = []
        node = self.wiring.node(wire)
        while node not in self._sources:
            if node in passed:
                raise ReadbackFault(f"the wire {wire[0]}.{wire[1]} drives itself")
            passed.append(node)
            drivers = self._drivers(node)
            if len(drivers) > 1:
                told = " and ".join(sorted(f"{tile}.{name}" for tile, name in drivers)[:2])
                raise ReadbackFault(f"the wire {wire[0]}.{wire[1]} has two drivers: {told}")
            if not drivers:
                self._sources[node] = self._start(node)
                break
            wire = next(iter(drivers))
            node = self.wiring.node(wire)
        answer = self._sources[node]
        self._sources.update(dict.fromkeys(passed, answer))
        return answer

    def _drivers(self, node: Node) -> set[Wire]:
        """The wires of which an enabled pip leads to a node; a pip back to the node is none."""
        drivers, fixed, defaults = set[Wire](), set[Wire](), set[Wire]()
        for tile, name in node:
            kind = self.type(tile)
            drivers.update((tile, one) for one in self._pips(tile).get(name, ()))
            fixed.update((tile, one) for one in kind.pips[ALWAYS].get(name, ()))
            defaults.update((tile, one) for one in kind.pips[DEFAULT].get(name, ()))
        started = any(name in self.type(tile).outputs for tile, name in node)
        if started and drivers:
            return drivers | node
        return drivers or (set() if started else fixed or defaults)

    def _start(self, node: Node) -> Pin | int | None:
        """The output pin or the constant at the beginning of a node."""
        pins = set()
        for tile, name in node:
            if name in ("VCC_WIRE", "GND_WIRE"):
                return int(name == "VCC_WIRE")
            pin = self.type(tile).outputs.get(name)
            if pin is not None:
                pins.add(Pin(tile, *pin))
        if len(pins) > 1:
            raise ReadbackFault(f"{' and '.join(sorted(map(str, pins)))} are connected")
        return next(iter(pins), None)

    def _pips(self, tile: str) -> Mapping[str, list[str]]:
        """The enabled pips of a tile that have bits: wire -> the wires that drive it."""
        if tile not in self._on:
            wires, pips = self.type(tile).wires, dict[str, list[str]]()
            for name in self.enabled(tile).names:
                sink, _, driver = name.partition(".")
                if sink in wires and driver in wires:
                    pips.setdefault(sink, []).append(driver)
            self._on[tile] = pips
        return self._on[tile]
