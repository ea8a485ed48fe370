# SPDX-License-Identifier: BSD-3-Clause
"""The packager's part of the stand-in: finds interfaces by the names of a module's ports."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bitstream.vivado.stand_in.commands import Call, TclFault, check_choice

Answer = str | tuple[str, ...]
INTERFACE = {"s_axi_ctrl": "slave", "m_axi": "master"}
LITE = {
    "aw": ("addr", "valid", "ready"),
    "w": ("data", "strb", "valid", "ready"),
    "b": ("resp", "valid", "ready"),
    "ar": ("addr", "valid", "ready"),
    "r": ("data", "resp", "valid", "ready"),
}
# UG1118: life cycles of an IP in a family, and values of parameters of an interface.
FAMILIES = ("zynq", "zynquplus", "artix7", "kintex7", "virtex7", "kintexu", "kintexuplus", "versal")
LIFE_CYCLES = ("Production", "Pre-Production", "Beta", "Alpha", "Hidden", "Discontinued")
BUS_PARAMETERS = {
    "POLARITY": ("ACTIVE_HIGH", "ACTIVE_LOW"),
    "SENSITIVITY": ("LEVEL_HIGH", "LEVEL_LOW", "EDGE_RISING", "EDGE_FALLING"),
}
# What makes a bus AXI4: without these the packager takes it for AXI4-Lite.
FULL = ("awlen", "awsize", "awburst", "wlast", "arlen", "arsize", "arburst", "rlast")


def ports_of(bus: str) -> set[str]:
    """Ports that make up one of the two buses."""
    lite = {f"{bus}_{channel}{signal}" for channel, names in LITE.items() for signal in names}
    return lite | {f"{bus}_{name}" for name in FULL if bus == "m_axi"}


@dataclass
class Project:
    """An open project."""

    name: str
    folder: Path
    files: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)


@dataclass
class Packager:
    """A core that is being packaged, and those that were.

    Attributes
    ----------
    named : callable
        Registers an object's name with its kind and returns the name.
    project : callable
        The open project; raises TclFault if there is none.
    packaged : dict
        Folder of an IP to its full name and what a block design sees of it.
    found, parts, ports : dict, set, set
        Interfaces of the core; what was added to it, by kind and name; ports of its top module.
    """

    named: Callable[[str, str], str]
    project: Callable[[], Project]
    packaged: dict[Path, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)
    core: dict[str, str] = field(default_factory=dict)
    found: dict[str, str] = field(default_factory=dict)
    parts: set[str] = field(default_factory=set)
    ports: set[str] = field(default_factory=set)

    def _do_package_project(self, call: Call) -> Answer:
        project = self.project()
        top = project.values.get("top", "")
        folder = Path(call.options["-root_dir"])
        taxonomy = call.options["-taxonomy"]
        if not re.fullmatch(r"(/[A-Za-z_]\w*)+", taxonomy):
            raise TclFault(f"-taxonomy {taxonomy}: a category starts with a slash, as /UserIP")
        texts = [Path(name) for name in project.files if Path(name).name == f"{top}.v"]
        if not texts:
            raise TclFault(f"no file of the project holds the top module {top!r}")
        for name in project.files:
            if folder not in Path(name).parents:
                raise TclFault(f"file {name} lies outside of the IP's folder {folder}")
        ports = set(re.findall(r"\b(\w+)\s*(?=[,)\n])", texts[0].read_text()))
        for name in INTERFACE:
            if ports_of(name) <= ports:
                self.found[name] = "memory mapped"
        self.ports = ports
        # Clock and reset are found by their names alone.
        self.found |= {name: "signal" for name in ("aclk", "aresetn") if name in ports}
        self.core = {"folder": str(folder), "vendor": call.options["-vendor"]}
        self.core["library"] = call.options["-library"]
        return ""

    def _do_current_core(self, call: Call) -> Answer:
        if not self.core:
            raise TclFault("no core is open")
        return self.named("core", "core")

    def _do_infer_bus_interface(self, call: Call) -> Answer:
        name = call.arguments[0]
        if name not in self.ports:
            raise TclFault(f"the top module has no port {name!r}")
        if name in self.found:
            raise TclFault(f"interface {name} is inferred already")
        self.found[name] = "signal"
        return ""

    def _do_get_bus_interfaces(self, call: Call) -> Answer:
        return tuple(self.named(name, "bus") for name in call.arguments if name in self.found)

    def _do_associate_bus_interfaces(self, call: Call) -> Answer:
        for option, name in call.options.items():
            if name and name not in self.found:
                raise TclFault(f"ipx::associate_bus_interfaces {option}: no interface {name!r}")
        return ""

    def _inside(self, call: Call, kind: str) -> Answer:
        """What the packager finds by name: only what was added, as on a core that lacks it."""
        return tuple(name for name in call.arguments if f"{kind} {name}" in self.parts)

    def _added(self, call: Call, kind: str) -> Answer:
        self.parts.add(f"{kind} {call.arguments[0]}")
        return self.named(call.arguments[0], kind)

    def _do_get_bus_parameters(self, call: Call) -> Answer:
        return self._inside(call, "parameter")

    def _do_add_bus_parameter(self, call: Call) -> Answer:
        return self._added(call, "parameter")

    def _do_get_memory_maps(self, call: Call) -> Answer:
        return self._inside(call, "map")

    def _do_add_memory_map(self, call: Call) -> Answer:
        return self._added(call, "map")

    def _do_get_address_blocks(self, call: Call) -> Answer:
        return self._inside(call, "block")

    def _do_add_address_block(self, call: Call) -> Answer:
        return self._added(call, "block")

    def _do_check_integrity(self, call: Call) -> Answer:
        return "1"

    def _do_save_core(self, call: Call) -> Answer:
        folder = Path(self.core["folder"])
        names = [self.core.get(part, "") for part in ("vendor", "library", "name", "version")]
        (folder / "component.xml").write_text(":".join(names) + "\n")
        self.packaged[folder] = (":".join(names), _accelerator(self.found) | self._families())
        return ""

    def _families(self) -> dict[str, list[str]]:
        """The families that the core supports: pairs of a family and a life cycle."""
        words = self.core.get("supported_families", "").split()
        for family, stage in zip(words[::2], words[1::2], strict=True):
            if family not in FAMILIES:
                raise TclFault(f"supported_families: there is no family {family!r}")
            check_choice(f"supported_families {family}", stage, LIFE_CYCLES)
        return {"families": words[::2]}


def _accelerator(found: Mapping[str, str]) -> Mapping[str, Any]:
    """The packaged IP as an entry of the command set."""
    ports = {
        name: {"mode": mode, "clock": "aclk"} for name, mode in INTERFACE.items() if name in found
    }
    pins = (("aresetn", "needed"), ("interrupt", "out"))
    return {
        "properties": [],
        "interfaces": ports,
        "pins": {name: {"mode": mode} for name, mode in pins if name in found},
        "spaces": ["m_axi"],
        "segments": {"s_axi_ctrl/reg0": None},
    }
