# SPDX-License-Identifier: BSD-3-Clause
"""Common parts of the open flows: plans, Yosys, nextpnr and its report, the result folder."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bonn_hw import tools
from bonn_hw.bitstream.tool_runs import TARGET, Result, earlier_bitstream, exclusive
from bonn_hw.boards import check_tool
from bonn_hw.errors import ToolMissing, UserError
from bonn_hw.files import MARK, fresh_folder, shipped, writing
from bonn_hw.ir.target import Board, OpenTools
from bonn_hw.progress import Progress
from bonn_hw.report.section_values import Implemented
from bonn_hw.report.store import save
from bonn_hw.report.values import Timing
from bonn_hw.synth import yosys

WORK = "open"
NETLIST, ROUTED = "netlist.json", "routed.json"


@dataclass(frozen=True)
class OpenPlan:
    """The commands and their inputs, without absolute paths.

    Attributes
    ----------
    script : tuple of str
        Yosys' commands, run in ``rtl``.
    command : tuple of str
        nextpnr and its arguments, run in ``open``; the path of the device's data is added then.
    sources : mapping
        SHA-256 of the files in ``rtl`` and of the flow's own files, by relative path.
    settings : mapping
        Settings of nextpnr that have no argument: it takes them from the netlist's top.
    """

    board: str
    part: str
    clock_mhz: float
    name: str
    script: tuple[str, ...]
    command: tuple[str, ...]
    sources: Mapping[str, str]
    settings: Mapping[str, str] = field(default_factory=dict)
    tool: str = "open"

    def json(self) -> str:
        """The plan as text."""
        return json.dumps({"schema": 1} | asdict(self), indent=2, sort_keys=True) + "\n"


def device_of(board: Board) -> OpenTools:
    """The tools' names of a board's device; raises UserError if the board has no open flow."""
    check_tool(board, "open")
    assert board.open_tools is not None  # noqa: S101  # narrows: a board's file names them with the tool
    return board.open_tools


def files_folder() -> Path:
    """The folder of the flows' own files."""
    return shipped("flows", "scripts", "open")


def sources_of(rtl: Path, templates: Sequence[Path]) -> dict[str, str]:
    """SHA-256 of the files in a build's ``rtl`` and of a flow, by relative path."""
    files = sorted(path for path in rtl.rglob("*") if path.suffix in (".sv", ".v", ".hex"))
    named = [(path.relative_to(rtl).as_posix(), path) for path in files]
    named += [(f"{WORK}/{one.name}", one) for one in templates]
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in named}


def reading(sources: Mapping[str, str]) -> str:
    """Yosys' command that reads a build's SystemVerilog; place and route know no DSP slices."""
    own = f"{WORK}/"
    modules = [one for one in sources if one.endswith(".sv") and not one.startswith(own)]
    return f"read_verilog -sv -defer -D BONN_NO_DSP48 {' '.join(modules)}"


class Stopwatch:
    """Measures the seconds of each step."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        """End a step; returns its seconds."""
        now = time.perf_counter()
        seconds, self._last = round(now - self._last, 1), now
        return seconds


@contextmanager
def working(planned: OpenPlan, system: Path, templates: Sequence[Path]) -> Iterator[Path]:
    """Replace the folder ``open`` by one with the plan and the flow's files, and lock the build.

    If a tool is missing, the plan stays there, and the message has its path.
    """
    with exclusive(system):
        work = system / WORK
        with writing(work):
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            for template in templates:
                shutil.copyfile(template, work / template.name)
            (work / "plan.json").write_text(planned.json())
        try:
            yield work
        except ToolMissing as error:
            raise ToolMissing(f"{error}; the plan is written: {work / 'plan.json'}") from None


def synthesise(
    planned: OpenPlan,
    work: Path,
    progress: Progress,
    mend: Callable[[Mapping[str, Any]], None] = lambda cells: None,
) -> Mapping[str, Any]:
    """Run Yosys, and put the settings of nextpnr into its netlist; returns the netlist's cells.

    Parameters
    ----------
    mend : callable
        Changes the cells in place, before nextpnr gets them.
    """
    progress("synthesis (Yosys)")
    yosys.run_script(planned.script, work.parent / "rtl", work / "yosys.log")
    file = work / NETLIST
    content = json.loads(file.read_text())
    top = top_of(content["modules"])
    if planned.settings:
        top["settings"] = dict(planned.settings)
    cells: Mapping[str, Any] = top["cells"]
    mend(cells)
    file.write_text(json.dumps(content))
    return cells


def cells_of(file: Path) -> Mapping[str, Any]:
    """The cells of the top in a netlist of Yosys or nextpnr."""
    cells: Mapping[str, Any] = top_of(json.loads(file.read_text())["modules"])["cells"]
    return cells


def top_of(modules: Mapping[str, Any]) -> dict[str, Any]:
    """The top of a netlist: Yosys marks it, for modules of its library can be larger."""
    found: dict[str, Any] = next(
        one for one in modules.values() if int(one["attributes"].get("top", "0"), 2)
    )
    return found


def route(command: Sequence[str], work: Path, progress: Progress) -> Mapping[str, Any]:
    """Run nextpnr; returns its report. Raises UserError if it fails."""

    def show(line: str) -> None:
        match = re.search(r"iter=(\d+) .*overused=(\d+)", line)
        if match:
            progress(f"routing (nextpnr): round {match[1]}, {match[2]} overused wires")
        elif "Running router" in line:
            progress("routing (nextpnr); minutes for large networks")

    progress("placement (nextpnr)")
    done = tools.run(command, cwd=work, log=work / "nextpnr.log", on_line=show)
    if done.code:
        lines = done.output.splitlines()
        faults = [line for line in lines if line.startswith("ERROR:")] or lines[-1:] or [""]
        raise UserError(
            f"nextpnr failed (exit code {done.code}): {faults[0].strip()}; see {done.log}: "
            f"compile for fewer frames per second if it does not fit"
            f"{earlier_bitstream(work.parent)}"
        )
    report: Mapping[str, Any] = json.loads((work / ROUTED).read_text())
    return report


def timing_of(planned: OpenPlan, report: Mapping[str, Any], work: Path) -> Timing:
    """The timing in the router's report; raises UserError, with the path, if it is missed."""
    clocks = [one["achieved"] for one in report["fmax"].values()]
    reached = min(clocks) if clocks else planned.clock_mhz
    path = _worst_path(report)
    if reached < planned.clock_mhz:
        raise UserError(
            f"timing is missed on {planned.board} at {planned.clock_mhz:g} MHz: this placement "
            f"reaches {reached:.1f} MHz, worst path {path}; build again with --clock-mhz "
            f"{int(reached // 5 * 5)}, or compile with a smaller SIMD; reports are in {work}"
            f"{earlier_bitstream(work.parent)}"
        )
    return Timing(
        wns_ns=round(1e3 / planned.clock_mhz - 1e3 / reached, 3),
        whs_ns=None,
        clock_mhz=planned.clock_mhz,
        fmax_mhz=round(reached, 1),
        worst_path=path,
    )


def _worst_path(report: Mapping[str, Any]) -> str | None:
    """The first and the last named net of the slowest path."""
    if not report["critical_paths"]:
        return None
    hops = [hop for hop in report["critical_paths"][0]["path"] if hop["type"] == "routing"]
    named = [hop for hop in hops if "$" not in hop["net"]] or hops
    ends = dict.fromkeys(hop["net"] for hop in (named[0], named[-1]))
    return f"through {' to '.join(ends)} ({len(hops)} nets)"


def call(program: Path, *arguments: str, at: Path) -> None:
    """Run a short program in a folder; raises UserError with its last line if it fails."""
    done = tools.run([program, *arguments], cwd=at)
    if done.code:
        last = done.output.strip().splitlines()[-1:] or ["no output"]
        raise UserError(f"{program.name} failed (exit code {done.code}): {last[0]}")


def publish(
    planned: OpenPlan,
    figures: Implemented,
    work: Path,
    files: Sequence[str],
    address: int | None = None,
    baud: int | None = None,
) -> Result:
    """Replace the folder ``bitstream`` by the results: the bitstream and other files."""
    target = work.parent / TARGET
    with fresh_folder(target) as folder:
        for name in (*files, ROUTED, "plan.json"):
            shutil.copyfile(work / name, folder / name)
        save(figures, folder / MARK)
    shutil.rmtree(work, ignore_errors=True)
    return Result(target, figures, address, baud)
