# SPDX-License-Identifier: BSD-3-Clause
"""RTL with a serial line -> bitstream, with tools from PyPI only: what the families share."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bonn_hw import extras, tools
from bonn_hw.bitstream.open.flow import (
    NETLIST,
    ROUTED,
    WORK,
    OpenPlan,
    Stopwatch,
    call,
    device_of,
    publish,
    reading,
    route,
    sources_of,
    synthesise,
    timing_of,
    working,
)
from bonn_hw.bitstream.tool_runs import Result
from bonn_hw.boards import check_clock
from bonn_hw.errors import ToolMissing
from bonn_hw.ir.target import Board, OpenTools
from bonn_hw.progress import Progress, silent
from bonn_hw.report.figures import PerResource
from bonn_hw.report.section_values import Implemented, ImplementedAmount
from bonn_hw.report.values import Seconds
from bonn_hw.synth import yosys

Used = Mapping[str, int]


@dataclass(frozen=True)
class Chain:
    """The open tools of a device family.

    Attributes
    ----------
    router, packer : str
        Names of the programs; the packer writes the bitstream.
    packages : mapping
        Program -> import name of its package from PyPI.
    synthesis : callable
        The device -> Yosys' commands, after the RTL was read.
    routing : callable
        The device, its part, and the file with the pins -> nextpnr's arguments of this family.
    routed : str
        The file that nextpnr writes and the packer reads.
    kept : tuple of str
        The files that are kept beside the bitstream.
    packing : callable
        The device, ``routed`` and the bitstream's file -> the packer's arguments.
    suffix : str
        Of the bitstream's file, as programmers expect it.
    amounts : callable
        Used parts of the device by nextpnr's report, and cells by Yosys' netlist, each by type ->
        LUT, flip-flops, RAMB36 and DSP.
    """

    router: str
    packer: str
    packages: Mapping[str, str]
    synthesis: Callable[[OpenTools], tuple[str, ...]]
    routing: Callable[[OpenTools, str, str], tuple[str, ...]]
    routed: str
    kept: tuple[str, ...]
    packing: Callable[[OpenTools, str, str], tuple[str, ...]]
    suffix: str
    amounts: Callable[[Used, Used], tuple[float, float, float, float]]

    def plan(self, system: Path, board: Board, clock_mhz: float, name: str) -> OpenPlan:
        """Plan the bitstream of RTL with a serial line in ``system/rtl``.

        Raises UserError for a clock that the board does not have.
        """
        check_clock(board, clock_mhz)
        device = device_of(board)
        sources = sources_of(system / "rtl", device.files)
        top, pins = (file.name for file in device.files)
        return OpenPlan(
            board.name,
            board.part,
            clock_mhz,
            name,
            script=(
                reading(sources),
                f"read_verilog top.v serial_system.v ../{WORK}/{top}",
                *self.synthesis(device),
                "delete t:$scopeinfo",
                f"write_json ../{WORK}/{NETLIST}",
            ),
            command=(
                *(self.router, *self.routing(device, board.part, pins)),
                *("--json", NETLIST, "--report", ROUTED),
                *("--freq", f"{clock_mhz:g}", "--timing-allow-fail", "--seed", "1"),
            ),
            sources=sources,
        )

    def make_bitstream(
        self, planned: OpenPlan, board: Board, system: Path, progress: Progress = silent
    ) -> Result:
        """Run a plan; raises the same errors as `SevenSeries.make_bitstream`."""
        device = device_of(board)
        with working(planned, system, device.files) as work:
            router, packer = (self._path(name, board) for name in (self.router, self.packer))
            versions = f"yosys {yosys.version()}, nextpnr {_version(router)}"
            watch = Stopwatch()
            cells = synthesise(planned, work, progress)
            synthesis_s = watch.lap()
            report = route([str(router), *planned.command[1:]], work, progress)
            timing = timing_of(planned, report, work)
            route_s = watch.lap()
            bitstream = f"{planned.name}{self.suffix}"
            call(packer, *self.packing(device, self.routed, bitstream), at=work)
            seconds = Seconds(synthesis=synthesis_s, place_and_route=route_s, frames=watch.lap())
            figures = Implemented(
                tool=versions, resources=self.use_of(report, cells), timing=timing, seconds=seconds
            )
            return publish(planned, figures, work, (bitstream, *self.kept), baud=board.baud)

    def use_of(
        self, report: Mapping[str, Any], cells: Mapping[str, Any]
    ) -> PerResource[ImplementedAmount]:
        """Used resources, in LUTs and flip-flops of the device, RAMB36 and multipliers."""
        used = {name: amounts["used"] for name, amounts in report["utilization"].items()}
        kinds = Counter(cell["type"] for cell in cells.values())
        return PerResource(*map(ImplementedAmount, self.amounts(used, kinds)))

    def _path(self, name: str, board: Board) -> Path:
        """As `program`; raises ToolMissing."""
        path = program(name)
        if path is None:
            raise ToolMissing(
                f"the open flow for {board.name} lacks {name}: "
                f"{extras.install(self.packages[name])}, or put it on PATH"
            )
        return Path(path)


def program(name: str) -> str | None:
    """A program on PATH, or the one from PyPI in the folder of this Python; None without either."""
    scripts = str(Path(sys.executable).parent)
    return (
        shutil.which(name)
        or shutil.which(name, path=scripts)
        or shutil.which(f"yowasp-{name}", path=scripts)
    )


def _version(router: Path) -> str:
    output = tools.run([router, "--version"]).output.strip()
    number = output.rpartition("Version ")[2].rstrip(")")
    return number.removeprefix("nextpnr-")
