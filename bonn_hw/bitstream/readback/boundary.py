# SPDX-License-Identifier: BSD-3-Clause
"""Where a circuit begins and ends in a device: at the processing system, or at pads."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bonn_hw.bitstream.open.xray import Database
from bonn_hw.bitstream.readback.frames import ReadbackFault
from bonn_hw.bitstream.readback.routing import Fabric, Pin

SYSTEM = "PS7"
# The pins that zynq.v connects; all others are not the circuit's matter.
USED = re.compile(r"MAXIGP0(?!ARCACHE|AWCACHE).*|SAXIHP0.*|IRQF2P\d+")
CLOCKS = re.compile(r"(MAXIGP0|SAXIHP0)ACLK")
CLOCK = "FCLKCLK0"
Features = tuple[str, ...]
# Parts on the way to a pad, by kind and output: the input that passes to it, the features that this
# needs, and those that it must not have (UG471).
PARTS: Mapping[tuple[str, str], tuple[str, Features, Features]] = {
    ("OLOGICE3", "OQ"): (
        "D1",
        ("OMUX.D1", "OQUSED"),
        ("IS_D1_INVERTED", "ODDR_TDDR.IN_USE", "OSERDES.IN_USE"),
    ),
    ("ILOGICE3", "O"): (
        "D",
        ("ZINV_D",),
        ("IDDR_OR_ISERDES.IN_USE", "IDDR.IN_USE", "ISERDES.IN_USE", "IFFDELMUXE3.P0"),
    ),
}
DRIVEN = re.compile(r"IOB_(Y[01])\..*\.DRIVE\..*")
PIN = re.compile(r"\s*set_property\s+PACKAGE_PIN\s+(\w+)\s+\[get_ports\s+(\w+)\]\s*")


class Boundary(Protocol):
    """The beginnings and ends of a circuit."""

    @property
    def clock(self) -> str:
        """Its name, for messages."""

    def outputs(self, fabric: Fabric) -> Mapping[str, Pin]:
        """Name -> the pin that the circuit drives; raises ReadbackFault where there is none."""

    def clocked(self, fabric: Fabric) -> list[Pin]:
        """Pins outside of the circuit that must have its clock."""

    def input(self, fabric: Fabric, signal: Pin) -> str | None:
        """The name of a signal that the circuit is given; None for any other signal."""

    def is_clock(self, fabric: Fabric, signal: Pin) -> bool:
        """Whether a signal is the clock, before its buffers."""

    def through(self, fabric: Fabric, signal: Pin) -> Pin | None:
        """The input of a part on the way to a pad, which its output equals; None: it is none."""


@dataclass(frozen=True)
class ProcessingSystem:
    """The PS7 of a Zynq-7000."""

    clock: str = CLOCK

    def outputs(self, fabric: Fabric) -> Mapping[str, Pin]:
        """The inputs of the processing system."""
        return {name: pin for name, pin in self._inputs(fabric).items() if not CLOCKS.match(name)}

    def clocked(self, fabric: Fabric) -> list[Pin]:
        """The clocks of its ports."""
        return [pin for name, pin in self._inputs(fabric).items() if CLOCKS.match(name)]

    def input(self, fabric: Fabric, signal: Pin) -> str | None:
        """The outputs of the processing system."""
        return signal.name if fabric.site(signal).kind == SYSTEM else None

    def is_clock(self, fabric: Fabric, signal: Pin) -> bool:
        """Whether it is FCLK0."""
        return fabric.site(signal).kind == SYSTEM and signal.name == CLOCK

    def through(self, fabric: Fabric, signal: Pin) -> None:
        """There is nothing between."""

    @staticmethod
    def _inputs(fabric: Fabric) -> Mapping[str, Pin]:
        tile = next(
            tile
            for tile, facts in fabric.wiring.database.tiles.items()
            if SYSTEM in facts["sites"].values()
        )
        kind = fabric.type(tile)
        site = [one.kind for one in kind.sites].index(SYSTEM)
        driven = {name for index, name in kind.outputs.values() if index == site}
        names = sorted(kind.sites[site].wires.keys() - driven)
        return {name: Pin(tile, site, name) for name in names if USED.fullmatch(name)}


PROCESSING_SYSTEM = ProcessingSystem()


@dataclass(frozen=True)
class Pads:
    """Pads of the package, by the names of the package's pins.

    Attributes
    ----------
    driven : frozenset of str
        The pads that the circuit drives.
    clock : str
        The pad of the clock.
    places : mapping
        Tile and site of a pad -> its name.
    """

    driven: frozenset[str]
    clock: str
    places: Mapping[tuple[str, str], str]

    def outputs(self, fabric: Fabric) -> Mapping[str, Pin]:
        """The pads that are driven; raises ReadbackFault if they are not those wanted."""
        found = {
            name: Pin(tile, self._site(fabric, tile, place), "O")
            for (tile, place), name in self.places.items()
            if any(
                match and f"IOB_{match[1]}" == place
                for match in map(DRIVEN.fullmatch, fabric.enabled(tile).names)
            )
        }
        if found.keys() != self.driven:
            raise ReadbackFault(
                f"the pads {', '.join(sorted(found)) or '(none)'} are driven, and should be "
                f"{', '.join(sorted(self.driven))}"
            )
        return found

    def clocked(self, fabric: Fabric) -> list[Pin]:
        """None."""
        return []

    def input(self, fabric: Fabric, signal: Pin) -> str | None:
        """The name of an input pad."""
        site = fabric.site(signal)
        if not site.kind.startswith("IOB33"):
            return None
        return self.places.get((signal.tile, f"IOB_Y{1 - site.row % 2}"))

    def is_clock(self, fabric: Fabric, signal: Pin) -> bool:
        """Whether it comes from the clock's pad."""
        return self.input(fabric, signal) == self.clock

    def through(self, fabric: Fabric, signal: Pin) -> Pin | None:
        """Through an OLOGIC or ILOGIC that changes nothing; raises ReadbackFault if it does."""
        site = fabric.site(signal)
        if (site.kind, signal.name) not in PARTS:
            return None
        source, passes, changes = PARTS[site.kind, signal.name]
        names, prefix = fabric.enabled(signal.tile).names, f"{site.kind[:6]}_Y{1 - site.row % 2}."
        if not all(prefix + one in names for one in passes):
            raise ReadbackFault(f"{signal} does not pass {source} on")
        if any(prefix + one in names for one in changes):
            raise ReadbackFault(f"{signal} is more than {source}")
        return Pin(signal.tile, signal.site, source)

    @staticmethod
    def _site(fabric: Fabric, tile: str, place: str) -> int:
        places = [f"IOB_Y{1 - site.row % 2}" for site in fabric.type(tile).sites]
        return places.index(place)


def pads_of(database: Database, driven: Iterable[str], clock: str) -> Pads:
    """The pads of a part, of which the circuit drives some and has its clock from one."""
    with database.part_file.with_name("package_pins.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    places = {(row["tile"], f"IOB_Y{int(row['site'][-1]) % 2}"): row["pin"] for row in rows}
    return Pads(frozenset(driven), clock, places)


def ports_of(pins: Path) -> dict[str, str]:
    """Port -> pin of the package, of a file of constraints (.xdc)."""
    lines = map(PIN.fullmatch, pins.read_text().splitlines())
    return {match[2]: match[1] for match in lines if match}
