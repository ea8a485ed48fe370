# SPDX-License-Identifier: BSD-3-Clause
"""A block design as the Tcl check keeps it: cells, nets, address map, and their faults."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bonn_hw.errors import near
from tests.bitstream.vivado.stand_in.commands import TclFault, check_value

SIZES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
# What a pin carries, by its name.
KINDS = (("reset", r"reset|rst"), ("clock", r"clk"), ("interrupt", r"irq|intr|interrupt"))


@dataclass
class Cell:
    """An IP in the design with the values of its properties."""

    name: str
    ip: Mapping[str, Any]
    values: dict[str, str] = field(default_factory=dict)

    def read(self, name: str, default: str = "") -> str:
        """Value of a property: as set, or as the IP derives it."""
        derived: str = self.ip.get("values", {}).get(name, default)
        if derived.startswith("="):
            return self.values.get(derived[1:], "0")
        return self.values.get(name, derived)

    def set(self, name: str, value: str) -> None:
        """Set a property, or raise TclFault if the IP has none of that name."""
        if name not in self.ip["properties"]:
            known = self.ip["properties"]
            raise TclFault(f"cell {self.name} has no property CONFIG.{name}{near(name, known)}")
        rule = self.ip["properties"][name]
        if rule.get("read_only"):
            raise TclFault(f"CONFIG.{name} of cell {self.name} is read-only")
        check_value(f"CONFIG.{name} of cell {self.name}", value, rule)
        self.values[name] = value

    def _exists(self, entry: Mapping[str, Any]) -> bool:
        when = entry.get("when")
        return when is None or self.values.get(when, entry["default"]) not in ("0", "false")

    @property
    def interfaces(self) -> dict[str, Mapping[str, Any]]:
        """Interfaces that the properties leave: name to mode and clock."""
        found = {
            name: entry
            for name, entry in self.ip.get("interfaces", {}).items()
            if self._exists(entry)
        }
        for count, entry in self.ip.get("ports", {}).items():
            for place in range(int(self.values.get(count, "1"))):
                port = f"{entry['letter']}{place:02d}"
                found[f"{port}_AXI"] = {"mode": entry["mode"], "clock": f"{port}_ACLK"}
        return found

    @property
    def pins(self) -> dict[str, str]:
        """FoldingConstraints that the properties leave: name to mode (in, out, needed)."""
        own = self.ip.get("pins", {})
        found = {name: entry["mode"] for name, entry in own.items() if self._exists(entry)}
        for entry in self.interfaces.values():
            found[entry["clock"]] = "needed"
            if self.ip.get("ports"):
                found[entry["clock"].replace("ACLK", "ARESETN")] = "needed"
        return found

    @property
    def segments(self) -> list[str]:
        """Address segments behind its slaves."""
        found = self.ip.get("segments", {}).items()
        return [name for name, when in found if when is None or self.values.get(when) == "1"]


@dataclass
class BlockDesign:
    """Cells, who drives which pin, joined interfaces, and segments with their addresses."""

    name: str
    cells: dict[str, Cell] = field(default_factory=dict)
    drivers: dict[str, str] = field(default_factory=dict)
    joined: dict[str, str] = field(default_factory=dict)
    addresses: dict[tuple[str, str], tuple[int, int] | None] = field(default_factory=dict)
    excluded: set[tuple[str, str]] = field(default_factory=set)
    valid: bool = False

    def add(self, name: str, ip: Mapping[str, Any]) -> str:
        """Add a cell; returns its path."""
        if name in self.cells:
            raise TclFault(f"the design has a cell {name} already")
        self.cells[name] = Cell(name, ip)
        return f"/{name}"

    def cell(self, path: str) -> Cell:
        """The cell of a path, or raise TclFault."""
        name = path.removeprefix("/")
        if name not in self.cells:
            raise TclFault(f"the design has no cell {name!r}{near(name, self.cells)}")
        return self.cells[name]

    def pin(self, path: str) -> str:
        """A pin's path, or raise TclFault if the cell has no such pin as it is configured."""
        return self._part(path, "pin")

    def interface(self, path: str) -> str:
        """The same of an interface."""
        return self._part(path, "interface")

    def _part(self, path: str, kind: str) -> str:
        owner, _, name = path.removeprefix("/").partition("/")
        cell = self.cell(owner)
        known = cell.pins if kind == "pin" else cell.interfaces
        if name not in known:
            raise TclFault(f"cell {owner} has no {kind} {name!r} as configured{near(name, known)}")
        return f"/{owner}/{name}"

    def _mode(self, path: str) -> str:
        owner, _, name = path[1:].partition("/")
        cell = self.cells[owner]
        return cell.pins.get(name) or str(cell.interfaces[name]["mode"])

    def connect(self, pins: Sequence[str]) -> None:
        """Join pins into a net: one of them drives."""
        outputs = [pin for pin in pins if self._mode(pin) == "out"]
        if len(outputs) != 1:
            raise TclFault(f"net of {', '.join(pins)}: {len(outputs)} pins drive it instead of 1")
        for pin in pins:
            if pin in outputs:
                continue
            if pin in self.drivers:
                raise TclFault(f"pin {pin} is connected already")
            if carries(pin) and carries(outputs[0]) and carries(pin) != carries(outputs[0]):
                raise TclFault(f"{carries(outputs[0])} {outputs[0]} drives {carries(pin)} {pin}")
            self.drivers[pin] = outputs[0]

    def join(self, one: str, other: str) -> None:
        """Join a master and a slave."""
        if sorted((self._mode(one), self._mode(other))) != ["master", "slave"]:
            raise TclFault(f"interfaces {one} and {other} are not a master and a slave")
        for path in (one, other):
            if path in self.joined:
                raise TclFault(f"interface {path} is connected already")
        self.joined |= {one: other, other: one}

    def spaces(self, pattern: str) -> list[str]:
        """Address spaces that match."""
        known = [
            f"/{cell.name}/{name}" for cell in self._all() for name in cell.ip.get("spaces", ())
        ]
        return _matching(known, pattern)

    def segments(self, pattern: str) -> list[str]:
        """Slave segments that match."""
        known = [f"/{cell.name}/{name}" for cell in self._all() for name in cell.segments]
        return _matching(known, pattern)

    def _all(self) -> Iterator[Cell]:
        return iter(self.cells.values())

    def _check_reach(self, space: str, segment: str, start: int, length: int) -> None:
        """Raise TclFault if no master of a space's cell reaches an address."""
        cell = self.cells[space.split("/")[1]]
        windows = [
            tuple(int(end, 0) for end in entry["window"])
            for entry in cell.interfaces.values()
            if "window" in entry
        ]
        if windows and not any(
            low <= start and start + length - 1 <= high for low, high in windows
        ):
            raise TclFault(f"segment {segment}: no master of {cell.name} reaches {start:#010x}")

    def assign(self, space: str, segment: str, offset: str | None, size: str | None) -> None:
        """Give a segment its place in a master's space."""
        place = None
        if offset is not None and size is not None:
            start, length = int(offset, 0), amount(size)
            if start % length:
                raise TclFault(f"segment {segment}: offset {offset} is no multiple of {size}")
            self._check_reach(space, segment, start, length)
            for (other, name), taken in self.addresses.items():
                if other == space and taken and start < sum(taken) and taken[0] < start + length:
                    raise TclFault(f"segments {segment} and {name} overlap at {offset}")
            place = (start, length)
        self.addresses[space, segment] = place

    def check(self) -> None:
        """What `validate_bd_design` finds; raise TclFault with the first fault."""
        for cell in self._all():
            for pin, mode in cell.pins.items():
                if mode == "needed" and f"/{cell.name}/{pin}" not in self.drivers:
                    raise TclFault(f"pin /{cell.name}/{pin} is not connected")
            for name in cell.interfaces:
                if f"/{cell.name}/{name}" not in self.joined:
                    raise TclFault(f"interface /{cell.name}/{name} is not connected")
            told = {segment for _, segment in (*self.addresses, *self.excluded)}
            for name in cell.segments:
                if f"/{cell.name}/{name}" not in told:
                    raise TclFault(
                        f"segment /{cell.name}/{name} has no address and is not excluded"
                    )
        self.valid = True


def carries(pin: str) -> str:
    """What a pin carries, by its name; empty if it does not say."""
    name = pin.rpartition("/")[2].lower()
    return next((kind for kind, pattern in KINDS if re.search(pattern, name)), "")


def amount(text: str) -> int:
    """Bytes of a range such as 4K, or raise TclFault."""
    found = re.fullmatch(r"(0x[0-9a-fA-F]+|\d+)([KMG]?)", text)
    if not found or (size := int(found[1], 0) * SIZES.get(found[2], 1)) < 4096 or size & (size - 1):
        raise TclFault(f"range {text} is not a power of two of at least 4K")
    return size


def _matching(known: Sequence[str], pattern: str) -> list[str]:
    wanted = pattern if pattern.startswith("/") else f"/{pattern}"
    found = [name for name in known if fnmatch.fnmatchcase(name, wanted)]
    if not found:
        raise TclFault(f"nothing in the design matches {pattern!r}{near(wanted, known)}")
    return found
