# SPDX-License-Identifier: BSD-3-Clause
"""What the open flows share: plans, Yosys, nextpnr and its report, the folder of results."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bonn_hw import tools
from bonn_hw.bitstream.tool_runs import TARGET, Result, alone, left
from bonn_hw.errors import ToolMissing, UserError
from bonn_hw.files import MARK, fresh_folder, shipped, writing
from bonn_hw.progress import Progress
from bonn_hw.report.section_values import Implemented
from bonn_hw.report.store import save
from bonn_hw.report.values import Timing
from bonn_hw.synth import yosys

WORK = "open"
NETLIST, ROUTED = "netlist.json", "routed.json"


@dataclass(frozen=True)
class OpenPlan:
    """What will be run on what; it names no folder of a machine.

    Attributes
    ----------
    script : tuple of str
        Yosys' commands, run in ``rtl``.
    command : tuple of str
        nextpnr and its arguments, run in ``open``; a device's data are added where it runs.
    sources : mapping
        Files under ``rtl`` and the flow's own: relative name to SHA-256.
    """

    board: str
    part: str
    clock_mhz: float
    name: str
    script: tuple[str, ...]
    command: tuple[str, ...]
    sources: Mapping[str, str]
    tool: str = "open"

    def json(self) -> str:
        """The plan as text."""
        return json.dumps({"schema": 1} | asdict(self), indent=2, sort_keys=True) + "\n"


def files_folder() -> Path:
    """The folder of the flows' own files."""
    return shipped("flows", "scripts", "open")


def sources_of(rtl: Path, templates: Sequence[Path]) -> dict[str, str]:
    """Files of a build's ``rtl`` and of a flow: relative name to SHA-256."""
    files = sorted(path for path in rtl.rglob("*") if path.suffix in (".sv", ".v", ".hex"))
    named = [(path.relative_to(rtl).as_posix(), path) for path in files]
    named += [(f"{WORK}/{one.name}", one) for one in templates]
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in named}


def reading(sources: Mapping[str, str]) -> str:
    """Yosys' command that reads a build's SystemVerilog."""
    own = f"{WORK}/"
    modules = [one for one in sources if one.endswith(".sv") and not one.startswith(own)]
    return f"read_verilog -sv -defer {' '.join(modules)}"


class Stopwatch:
    """Seconds of each step."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        """A step ends; returns its seconds."""
        now = time.perf_counter()
        seconds, self._last = round(now - self._last, 1), now
        return seconds


@contextmanager
def working(planned: OpenPlan, system: Path, templates: Sequence[Path]) -> Iterator[Path]:
    """Make the folder ``open`` anew, with the plan and the flow's files; one run at a time.

    A missing tool leaves the plan, and the message says where.
    """
    with alone(system):
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


def synthesise(planned: OpenPlan, work: Path, progress: Progress) -> Mapping[str, Any]:
    """Run Yosys; returns the netlist's cells."""
    progress("synthesis (Yosys)")
    yosys.run_script(planned.script, work.parent / "rtl", work / "yosys.log")
    return cells_of(work / NETLIST)


def cells_of(file: Path) -> Mapping[str, Any]:
    """Cells of the top, which has the most, of a netlist as Yosys or nextpnr writes it."""
    modules = json.loads(file.read_text())["modules"].values()
    return max((module.get("cells", {}) for module in modules), key=len)


def route(command: Sequence[str], work: Path, progress: Progress) -> Mapping[str, Any]:
    """Run nextpnr; returns its report. Raises UserError if it fails."""

    def tell(line: str) -> None:
        found = re.search(r"iter=(\d+) .*overused=(\d+)", line)
        if found:
            progress(f"routing (nextpnr): round {found[1]}, {found[2]} wires with two signals")
        elif "Running router" in line:
            progress("routing (nextpnr); minutes for large networks")

    progress("placement (nextpnr)")
    done = tools.run(command, cwd=work, log=work / "nextpnr.log", on_line=tell)
    if done.code:
        lines = done.output.splitlines()
        faults = [line for line in lines if line.startswith("ERROR:")] or lines[-1:] or [""]
        raise UserError(
            f"nextpnr failed (exit code {done.code}): {faults[0].strip()}; see {done.log}: "
            f"compile for fewer frames per second if it does not fit{left(work.parent)}"
        )
    report: Mapping[str, Any] = json.loads((work / ROUTED).read_text())
    return report


def timing_of(planned: OpenPlan, report: Mapping[str, Any], work: Path) -> Timing:
    """Timing of the router's report; raises UserError, with the path, where it is missed."""
    clocks = [one["achieved"] for one in report["fmax"].values()]
    reached = min(clocks) if clocks else planned.clock_mhz
    path = _worst_path(report)
    if reached < planned.clock_mhz:
        raise UserError(
            f"timing is missed on {planned.board} at {planned.clock_mhz:g} MHz: this placement "
            f"reaches {reached:.1f} MHz, worst path {path}; build again with --clock-mhz "
            f"{int(reached // 5 * 5)}, or compile with a smaller SIMD; reports are in {work}"
            f"{left(work.parent)}"
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
        told = done.output.strip().splitlines()[-1:] or ["no output"]
        raise UserError(f"{program.name} failed (exit code {done.code}): {told[0]}")


def settle(
    planned: OpenPlan,
    figures: Implemented,
    work: Path,
    kept: Sequence[str],
    address: int | None = None,
    baud: int | None = None,
) -> Result:
    """Move results into a fresh folder that replaces the last one."""
    target = work.parent / TARGET
    with fresh_folder(target) as folder:
        for name in (f"{planned.name}.bit", *kept, ROUTED, "plan.json"):
            shutil.copyfile(work / name, folder / name)
        save(figures, folder / MARK)
    shutil.rmtree(work, ignore_errors=True)
    return Result(target, figures, address, baud)
