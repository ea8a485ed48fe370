# SPDX-License-Identifier: BSD-3-Clause
"""Stands in for the vendor's tool while scripts are checked: state, order, plausible answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bonn_hw.errors import near
from tests.bitstream.vivado.stand_in.block_design import BlockDesign
from tests.bitstream.vivado.stand_in.commands import Call, CommandSet, TclFault, check_choice
from tests.bitstream.vivado.stand_in.headers import bit_file, report_header
from tests.bitstream.vivado.stand_in.packager import BUS_PARAMETERS, Answer, Packager, Project

Split = Callable[[str], tuple[str, ...]]  # a Tcl list into its elements
# What must have been done before a step.
ORDER = {
    "opt_design": "synth_design",
    "place_design": "opt_design",
    "phys_opt_design": "place_design",
    "route_design": "place_design",
    "report_timing_summary": "route_design",
    "report_utilization": "route_design",
    "report_route_status": "route_design",
    "get_timing_paths": "route_design",
    "write_checkpoint": "synth_design",
    "write_bitstream": "route_design",
}


@dataclass(frozen=True)
class Scenario:
    """How the run goes.

    Attributes
    ----------
    slack_ns, repaired_ns, hold_ns : float
        Setup slack after routing, after the repair that follows a negative one, and hold slack.
    part_known : bool
        Whether the device's family is installed.
    fails : str
        Command at which the tool ends with an error of its own; empty: none.
    version : str
        What the tool says of itself.
    read_only : set of str
        Properties of IPs that cannot be set in this version.
    reports : mapping
        Report command to the text that it writes; ``accelerator``: for a report of some cells.
    """

    slack_ns: float = 0.25
    repaired_ns: float = 0.1
    hold_ns: float = 0.02
    part_known: bool = True
    fails: str = ""
    version: str = "2022.2"
    read_only: frozenset[str] = frozenset()
    reports: Mapping[str, str] = field(default_factory=dict)


class MockTool:
    """Commands of the tool, one method each; others only have their words checked."""

    def __init__(self, known: CommandSet, scenario: Scenario, split: Split) -> None:
        self.known, self.scenario, self.split = known, scenario, split
        self.kinds: dict[str, str] = {"path_max": "path", "path_min": "path"}
        self.done: list[str] = []
        self.project: Project | None = None
        self.design: BlockDesign | None = None
        self.user_id = "FFFFFFFF"
        self.catalogue: dict[str, Mapping[str, Any]] = {
            f"xilinx.com:ip:{name}:{ip['version']}": ip for name, ip in known.ips.items()
        }
        self.packager = Packager(self._named, self._project)

    def answer(self, call: Call) -> Answer:
        """Do a command, or raise TclFault."""
        if call.name == self.scenario.fails:
            raise TclFault(f"ERROR: [Mock 1-1] {call.name} failed")
        needs = ORDER.get(call.name)
        if needs and needs not in self.done:
            raise TclFault(f"{call.name} before {needs}")
        self.done.append(call.name)
        owner: object = self.packager if call.name.startswith("ipx::") else self
        method = getattr(owner, f"_do_{call.name.removeprefix('ipx::')}", None)
        result: Answer = method(call) if method else ""
        return result

    # Projects and files.

    def _project(self) -> Project:
        if self.project is None:
            raise TclFault("no project is open")
        return self.project

    def _do_create_project(self, call: Call) -> Answer:
        if self.project is not None:
            raise TclFault(f"project {self.project.name} is open: close it first")
        name, folder = call.arguments
        self.project = Project(name, Path(folder))
        self.project.values["part"] = call.options["-part"]
        self.project.folder.mkdir(parents=True, exist_ok=True)
        return self._named(name, "project")

    def _do_close_project(self, call: Call) -> Answer:
        self._project()
        self.project = None
        return ""

    def _named(self, name: str, kind: str) -> str:
        self.kinds[name] = kind
        return name

    def _do_current_project(self, call: Call) -> Answer:
        return self._named(self._project().name, "project")

    def _do_current_fileset(self, call: Call) -> Answer:
        self._project()
        return self._named("sources_1", "fileset")

    def _do_current_design(self, call: Call) -> Answer:
        return self._named("impl_1", "design")

    def _do_version(self, call: Call) -> Answer:
        return self.scenario.version

    def _do_get_parts(self, call: Call) -> Answer:
        return call.arguments if self.scenario.part_known else ""

    def _do_add_files(self, call: Call) -> Answer:
        files = self._elements(call)
        for name in files:
            if not Path(name).is_file():
                raise TclFault(f"add_files: there is no file {name}")
        self._project().files += files
        return files

    def _elements(self, call: Call) -> tuple[str, ...]:
        return tuple(part for word in call.arguments for part in self.split(word))

    def _do_get_files(self, call: Call) -> Answer:
        known = [*self._project().files]
        if self.design:
            known.append(f"{self.design.name}.bd")
        names = self._elements(call)
        for name in names:
            if name not in known:
                raise TclFault(f"the project has no file {name!r}{near(name, known)}")
            self._named(name, "file")
        return names if len(names) != 1 else names[0]

    # The catalogue.

    def _do_update_ip_catalog(self, call: Call) -> Answer:
        folder = Path(*self.split(self._project().values.get("ip_repo_paths", "")))
        if folder in self.packager.packaged:
            self.catalogue |= dict([self.packager.packaged[folder]])
        return ""

    def _do_get_ipdefs(self, call: Call) -> Answer:
        pattern = call.arguments[0].replace("*", "")
        return tuple(sorted(name for name in self.catalogue if name.startswith(pattern)))

    # Block design.

    def _design(self) -> BlockDesign:
        if self.design is None:
            raise TclFault("no block design is open")
        return self.design

    def _do_create_bd_design(self, call: Call) -> Answer:
        self._project()
        self.design = BlockDesign(call.arguments[0])
        return call.arguments[0]

    def _do_create_bd_cell(self, call: Call) -> Answer:
        kind = call.options.get("-vlnv", "")
        if kind not in self.catalogue:
            raise TclFault(f"the catalogue has no IP {kind!r}{near(kind, self.catalogue)}")
        families = self.catalogue[kind].get("families")
        if families is not None and (family := self._family()) not in families:
            raise TclFault(f"IP {kind!r} does not support the family {family} ({self._part()})")
        path = self._design().add(call.arguments[0], self.catalogue[kind])
        return self._named(path, "cell")

    def _do_apply_bd_automation(self, call: Call) -> Answer:
        self._design().cell(call.arguments[0])
        return ""

    def _each(self, call: Call, find: Callable[[str], str]) -> Answer:
        found = tuple(find(name) for name in call.arguments)
        return found[0] if len(found) == 1 else found

    def _do_get_bd_cells(self, call: Call) -> Answer:
        return self._each(
            call, lambda name: self._named(f"/{self._design().cell(name).name}", "cell")
        )

    def _do_get_bd_pins(self, call: Call) -> Answer:
        return self._each(call, self._design().pin)

    def _do_get_bd_intf_pins(self, call: Call) -> Answer:
        return self._each(call, self._design().interface)

    def _do_connect_bd_net(self, call: Call) -> Answer:
        self._design().connect(call.arguments)
        return ""

    def _do_connect_bd_intf_net(self, call: Call) -> Answer:
        self._design().join(*call.arguments)
        return ""

    def _do_get_bd_addr_spaces(self, call: Call) -> Answer:
        return tuple(self._design().spaces(call.arguments[0]))

    def _do_get_bd_addr_segs(self, call: Call) -> Answer:
        return tuple(self._design().segments(call.arguments[0]))

    def _do_assign_bd_address(self, call: Call) -> Answer:
        offset, size = call.options.get("-offset"), call.options.get("-range")
        for segment in call.arguments:
            self._design().assign(call.options["-target_address_space"], segment, offset, size)
        return ""

    def _do_exclude_bd_addr_seg(self, call: Call) -> Answer:
        space = call.options["-target_address_space"]
        self._design().excluded |= {(space, segment) for segment in call.arguments}
        return ""

    def _do_validate_bd_design(self, call: Call) -> Answer:
        self._design().check()
        return ""

    def _generated(self) -> Path:
        project = self._project()
        return project.folder / f"{project.name}.gen/sources_1/bd/{self._design().name}"

    def _do_generate_target(self, call: Call) -> Answer:
        if not self._design().valid:
            raise TclFault("generate_target before validate_bd_design")
        place = self._generated() / f"hw_handoff/{self._design().name}.hwh"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("<EDKSYSTEM/>\n")
        return ""

    def _do_make_wrapper(self, call: Call) -> Answer:
        place = self._generated() / f"hdl/{self._design().name}_wrapper.v"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("// wrapper\n")
        return (str(place),)

    # Properties.

    def _do_set_property(self, call: Call) -> Answer:
        if "-dict" in call.options:
            pairs, objects = self.split(call.options["-dict"]), call.arguments
            if len(pairs) % 2:
                raise TclFault("set_property -dict: a name has no value")
        else:
            pairs, objects = call.arguments[:2], call.arguments[2:]
        if len(objects) != 1:
            raise TclFault(f"set_property: {len(objects)} objects are given instead of 1")
        for name, value in zip(pairs[::2], pairs[1::2], strict=True):
            self._set(name, value, objects[0])
        return ""

    def _set(self, name: str, value: str, thing: str) -> None:
        kind = self.kinds.get(thing)
        if kind is None:
            raise TclFault(f"set_property {name}: there is no object {thing!r}")
        if kind == "cell":
            if not name.startswith("CONFIG."):
                raise TclFault(f"set_property: {name} of cell {thing} does not start with CONFIG.")
            short = name.removeprefix("CONFIG.")
            if short in self.scenario.read_only:
                raise TclFault(f"ERROR: [BD 41-737] Cannot set the parameter {short}: read-only")
            self._design().cell(thing).set(short, value)
            return
        self.known.check_property(kind, name, value)
        if kind == "parameter":
            check_choice(f"the bus parameter {thing}", value, BUS_PARAMETERS[thing])
        if name == "BITSTREAM.CONFIG.USERID":
            self.user_id = value
        if kind in ("project", "fileset"):
            self._project().values[name] = value
        if kind == "core":
            self.packager.core[name] = value

    def _do_get_property(self, call: Call) -> Answer:
        name, thing = call.arguments
        kind = self.kinds.get(thing)
        if kind is None:
            raise TclFault(f"get_property {name}: there is no object {thing!r}")
        if kind == "cell":
            cell, short = self._design().cell(thing), name.removeprefix("CONFIG.")
            if short not in cell.ip["properties"]:
                raise TclFault(f"cell {cell.name} has no property {name}")
            return cell.read(short)
        self.known.check_property(kind, name)
        return str(self._slack(thing)) if kind == "path" else ""

    # Synthesis and implementation.

    def _do_synth_design(self, call: Call) -> Answer:
        if call.options.get("-top") != self._project().values.get("top"):
            raise TclFault(f"synth_design: the top is not {call.options.get('-top')!r}")
        for folder in self.packager.packaged:
            for text in (folder / "src").glob("*.v"):
                for name in re.findall(r'"(mem/[^"]+)"', text.read_text()):
                    if not Path(name).is_file():
                        raise TclFault(f"[Synth 8-4445] could not open $readmem data file '{name}'")
        return ""

    def _slack(self, path: str) -> float:
        if path == "path_min":
            return self.scenario.hold_ns
        routed = self.done.index("route_design")
        repaired = "phys_opt_design" in self.done[routed:]
        return self.scenario.repaired_ns if repaired else self.scenario.slack_ns

    def _do_get_timing_paths(self, call: Call) -> Answer:
        return f"path_{call.options.get('-delay_type', 'max')}"

    def _do_get_cells(self, call: Call) -> Answer:
        known = {f"{self._design().name}_i/{name}" for name in self._design().cells}
        return tuple(name for name in call.arguments if name in known)

    def _report(self, call: Call, name: str) -> Answer:
        text = self.scenario.reports.get(name, f"{name}\n")
        head = report_header(
            self.scenario.version, self._part(), timing=name == "report_timing_summary"
        )
        Path(call.options["-file"]).write_text(head + text)
        return ""

    def _family(self) -> str:
        return "zynq" if self._part().startswith("xc7z") else "zynquplus"

    def _part(self) -> str:
        return self._project().values["part"]

    def _do_report_timing_summary(self, call: Call) -> Answer:
        return self._report(call, call.name)

    def _do_report_utilization(self, call: Call) -> Answer:
        return self._report(call, "accelerator" if "-cells" in call.options else call.name)

    def _do_report_route_status(self, call: Call) -> Answer:
        return self._report(call, call.name)

    def _do_write_checkpoint(self, call: Call) -> Answer:
        Path(call.arguments[0]).write_bytes(b"checkpoint")
        return ""

    def _do_write_bitstream(self, call: Call) -> Answer:
        design = f"{self._project().name}_wrapper"
        user_id = self.user_id.removeprefix("0x")
        content = bit_file(design, self._part(), self.scenario.version, user_id)
        Path(call.arguments[0]).write_bytes(content)
        return ""
