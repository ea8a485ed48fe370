# SPDX-License-Identifier: BSD-3-Clause
"""Run the plan of a Vivado build: RTL -> bitstream, hardware description, figures.

The tool works in the build's folder ``vivado``. The folder ``bitstream`` replaces the last one when
all is there and timing is met; a build that fails leaves the last one as it is.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from bonn_hw import tools
from bonn_hw.bitstream.tool_runs import TARGET, alone, left
from bonn_hw.bitstream.vivado.plan import (
    NEWEST,
    OLDEST,
    PLAN,
    WORK,
    VivadoPlan,
    current,
    write,
)
from bonn_hw.bitstream.vivado.reports import ReportFault, Timing, read_timing, read_utilisation
from bonn_hw.errors import ToolMissing, UserError
from bonn_hw.files import MARK, fresh_folder
from bonn_hw.ir.resources import Resources
from bonn_hw.progress import Progress, silent
from bonn_hw.report.figures import PerResource
from bonn_hw.report.section_values import Implemented, ImplementedAmount
from bonn_hw.report.store import save
from bonn_hw.report.values import Timing as TimingFigures

ANSWER_S = 120.0  # in which the tool tells its version
MISSED = 4  # exit code of the scripts: routed, timing missed


@dataclass(frozen=True)
class Built:
    """A bitstream that meets its timing.

    Attributes
    ----------
    folder : Path
        The build's ``bitstream``: .bit, .hwh, reports, checkpoint, log, plan and report.json.
    whole, core : Resources
        Use of the whole design, and of the accelerator with its shell alone; the latter is None if
        the tool kept no border around it.
    """

    folder: Path
    bitstream: Path
    version: str
    timing: Timing
    whole: Resources
    core: Resources | None

    @property
    def figures(self) -> Implemented:
        """What goes into the build's report."""
        cores = (None,) * 4 if self.core is None else self.core.astuple()
        amounts = zip(self.whole.astuple(), cores, strict=True)
        return Implemented(
            tool=f"vivado {self.version}",
            resources=PerResource(*(ImplementedAmount(whole, core) for whole, core in amounts)),
            timing=TimingFigures(
                wns_ns=self.timing.wns_ns,
                whs_ns=self.timing.whs_ns,
                clock_mhz=self.timing.clock_mhz,
                worst_path=str(self.timing.paths[0]) if self.timing.paths else None,
            ),
        )


def find_tool() -> Path:
    """The program, or raise ToolMissing."""
    return tools.find(
        "vivado",
        f"source the settings64.sh of Vivado {_dotted(OLDEST)} to {_dotted(NEWEST)}, or run the "
        "plan where it is installed",
    )


def version(program: Path) -> str:
    """Version of the tool; raises UserError if it is none that the scripts are written for."""
    try:
        told = tools.run([program, "-version"], timeout_s=ANSWER_S).output
    except (OSError, UserError) as error:
        told = str(error)
    found = re.search(r"vivado v(\d{4})\.(\d)", told, re.IGNORECASE)
    if found is None:
        first = told.strip().partition("\n")[0] or "nothing"
        raise UserError(f"{program} -version says {first!r} and no version: check its installation")
    number = (int(found[1]), int(found[2]))
    if not OLDEST <= number <= NEWEST:
        raise UserError(
            f"vivado is version {_dotted(number)}: the scripts are written for {_dotted(OLDEST)} "
            f"to {_dotted(NEWEST)}; put one of these first on PATH"
        )
    return _dotted(number)


def _dotted(number: tuple[int, int]) -> str:
    return f"{number[0]}.{number[1]}"


def make_bitstream(planned: VivadoPlan, build: Path, progress: Progress = silent) -> Built:
    """Run a plan; hours for a large network.

    Raises
    ------
    ToolMissing
        If Vivado is not on PATH; the plan is written all the same.
    UserError
        For a version of the tool that is not known, files that are not those of the plan, an error
        of the tool, missed timing. What was in ``bitstream`` stays there.
    """
    with alone(build):
        _unchanged(planned, build)
        file = write(planned, build)
        try:
            program = find_tool()
        except ToolMissing as error:
            raise ToolMissing(f"{error}; the plan is written: {file}") from None
        number = version(program)
        work = build / WORK
        command = [str(program), *planned.command[1:]]
        log = work / "console.log"
        code = tools.run(
            command, cwd=work, log=log, on_line=lambda line: _tell(line, progress)
        ).code
        if code not in (0, MISSED):
            raise UserError(_crash(code, work, build))
        return _finish(planned, build, number, finished=code == 0)


def take_results(planned: VivadoPlan, build: Path) -> Built:
    """Take what the plan's command has left in ``vivado``, where it was run by hand or elsewhere.

    Raises
    ------
    UserError
        As `make_bitstream`, and if ``vivado`` holds another plan.
    """
    work = build / WORK
    with alone(build):
        file = work / PLAN
        if not file.is_file() or file.read_text() != planned.json():
            raise UserError(f"{file} is not the plan of this build: plan again and run its command")
        report = work / "timing.rpt"
        told = report.read_text() if report.is_file() else ""
        found = re.search(r"Tool Version : Vivado v\.(\d{4}\.\d)", told)
        return _finish(planned, build, found[1] if found else "of unknown version", finished=True)


def _finish(planned: VivadoPlan, build: Path, number: str, finished: bool) -> Built:
    """Judge what the tool has left; `finished`: with a bitstream."""
    _unchanged(planned, build)  # while the tool ran
    built = _collect(planned, build / WORK, number, finished)
    if not finished or not built.timing.met:
        raise UserError(missed(planned, built.timing, build / WORK) + left(build))
    return _settle(planned, built, build)


def _unchanged(planned: VivadoPlan, build: Path) -> None:
    if current(planned, build) != planned:
        raise UserError(f"{build}/rtl is not what the plan was made of: plan and build again")


def _tell(line: str, progress: Progress) -> None:
    if line.startswith("bonn-hw: "):
        progress(line.removeprefix("bonn-hw: ").strip())


def _crash(code: int, work: Path, build: Path) -> str:
    """What to say of a tool that ended with an error: its first message and the last step."""
    lines = (work / "console.log").read_text().splitlines()
    steps = [line.removeprefix("bonn-hw: step ") for line in lines if "bonn-hw: step " in line]
    faults = [line for line in lines if line.startswith(("ERROR:", "bonn-hw: error:"))]
    told = faults[0] if faults else (lines[-1] if lines else "no output")
    ended = f"signal {-code}" if code < 0 else f"exit code {code}"
    return (
        f"vivado failed in step {steps[-1] if steps else 'start'} ({ended}): {told.strip()}; see "
        f"{work / 'vivado.log'}{left(build)}"
    )


def _collect(planned: VivadoPlan, work: Path, number: str, finished: bool) -> Built:
    if finished:
        gone = [name for name in planned.results if not _kept(work, name)]
        if gone:
            raise UserError(f"vivado ended without an error and has not written {', '.join(gone)}")
    try:
        core = work / "accelerator.rpt"
        return Built(
            folder=work,
            bitstream=work / f"{planned.name}.bit",
            version=number,
            timing=read_timing(work / "timing.rpt"),
            whole=read_utilisation(work / "utilization.rpt"),
            core=read_utilisation(core) if core.is_file() else None,
        )
    except (ReportFault, OSError) as error:
        raise UserError(
            f"a report of vivado {number} cannot be read: {error}; see {work}"
        ) from None


def _kept(work: Path, name: str) -> bool:
    return name == "accelerator.rpt" or (work / name).is_file()


def _settle(planned: VivadoPlan, built: Built, build: Path) -> Built:
    """Move results into a fresh folder that replaces the last one; remove the tool's folder."""
    work, target = built.folder, build / TARGET
    digests = {
        name: hashlib.sha256((work / name).read_bytes()).hexdigest() for name in planned.results[:2]
    }
    figures = replace(built.figures, plan_sha256=planned.sha256, sha256=digests)
    with fresh_folder(target) as folder:
        for name in (*planned.results, PLAN):
            if (work / name).is_file():
                shutil.copyfile(work / name, folder / name)
        save(figures, folder / MARK)
    shutil.rmtree(work, ignore_errors=True)
    return Built(
        target, target / built.bitstream.name, built.version, built.timing, built.whole, built.core
    )


def missed(planned: VivadoPlan, timing: Timing, work: Path) -> str:
    """Say which path misses its timing by how much, and what to change."""
    kind, slack = min(
        ("setup", timing.wns_ns),
        ("hold", timing.whs_ns),
        ("pulse width", timing.wpws_ns),
        key=lambda pair: pair[1],
    )
    paths = [path for path in timing.paths if path.kind == kind]
    worst = f"worst path {paths[0]}" if paths else f"see {work / 'timing.rpt'}"
    stage = _stage(paths[0].destination, stages_of(work.parent / "rtl")) if paths else None
    where = f" in stage {stage!r}" if stage else ""
    if kind != "setup":
        remedy = "a lower clock does not help: try another version of the tool"
    else:
        slower = int(timing.reached_mhz // 5 * 5)
        remedy = f"build again with --clock-mhz {slower} (this placement reaches "
        remedy += f"{timing.reached_mhz:.0f} MHz), or "
        if paths and paths[0].logic < 0.5:
            remedy += "compile for fewer frames per second: most of the path is wire, so the "
            remedy += "device is crowded"
        else:
            remedy += f"compile with a smaller SIMD{f' for {stage!r}' if stage else ''}: most of "
            remedy += "the path is logic"
    return (
        f"timing is missed on {planned.board} at {timing.clock_mhz:g} MHz by {-slack:.3f} ns "
        f"({kind}, {timing.failing} endpoints){where}: {worst}; {remedy}; reports are in {work}"
    )


def _stage(pin: str, stages: set[str]) -> str | None:
    """The stage of the network that a pin belongs to."""
    return next((part for part in pin.split("/") if part in stages), None)


def stages_of(rtl: Path) -> set[str]:
    """Instances of ``top.v``, one a stage; empty if there is no such file."""
    top = rtl / "top.v"
    text = top.read_text() if top.is_file() else ""
    return set(re.findall(r"^  \) (\w+) \($", text, re.MULTILINE))
