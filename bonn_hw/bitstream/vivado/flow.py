# SPDX-License-Identifier: BSD-3-Clause
"""Run the plan of a Vivado build: RTL -> bitstream, hardware description, figures.

Vivado runs in the build's folder ``vivado``. The folder ``bitstream`` is replaced when all files
are there and timing is met; if a run fails, an earlier one is unchanged.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from bonn_hw import tools
from bonn_hw.bitstream.tool_runs import TARGET, earlier_bitstream, exclusive
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

ANSWER_S = 120.0  # to wait for the tool's version
MISSED = 4  # exit code of the scripts: routed, timing missed


@dataclass(frozen=True)
class Built:
    """A bitstream that meets its timing.

    Attributes
    ----------
    folder : Path
        The build's ``bitstream``: .bit, .hwh, reports, checkpoint, log, plan and report.json.
    whole, core : Resources
        Resources of the whole design, and of the accelerator with its shell alone; the latter is
        None if the tool has dissolved its hierarchy.
    """

    folder: Path
    bitstream: Path
    version: str
    timing: Timing
    whole: Resources
    core: Resources | None

    @property
    def figures(self) -> Implemented:
        """The figures for the build's report."""
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
    """The path of Vivado; raises ToolMissing."""
    return tools.find(
        "vivado",
        f"source the settings64.sh of Vivado {_dotted(OLDEST)} to {_dotted(NEWEST)}, or run the "
        "plan where it is installed",
    )


def version(program: Path) -> str:
    """Version of Vivado; raises UserError if the scripts do not support it."""
    try:
        output = tools.run([program, "-version"], timeout_s=ANSWER_S).output
    except (OSError, UserError) as error:
        output = str(error)
    match = re.search(r"vivado v(\d{4})\.(\d)", output, re.IGNORECASE)
    if match is None:
        first = output.strip().partition("\n")[0] or "nothing"
        raise UserError(f"{program} -version says {first!r} and no version: check its installation")
    number = (int(match[1]), int(match[2]))
    if not OLDEST <= number <= NEWEST:
        raise UserError(
            f"vivado is version {_dotted(number)}: the scripts are written for {_dotted(OLDEST)} "
            f"to {_dotted(NEWEST)}; put one of these first on PATH"
        )
    return _dotted(number)


def _dotted(number: tuple[int, int]) -> str:
    return f"{number[0]}.{number[1]}"


def make_bitstream(planned: VivadoPlan, build: Path, progress: Progress = silent) -> Built:
    """Run a plan; this takes hours for a large network.

    Raises
    ------
    ToolMissing
        If Vivado is not on PATH; the plan is written nevertheless.
    UserError
        For an unsupported version of Vivado, files that differ from those of the plan, an error of
        Vivado, or missed timing. The folder ``bitstream`` is not changed then.
    """
    with exclusive(build):
        _check_unchanged(planned, build)
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
            command, cwd=work, log=log, on_line=lambda line: _show_step(line, progress)
        ).code
        if code not in (0, MISSED):
            raise UserError(_crash(code, work, build))
        return _finish(planned, build, number, finished=code == 0)


def take_results(planned: VivadoPlan, build: Path) -> Built:
    """Take the results in ``vivado`` of a plan that was run by hand or on another machine.

    Raises
    ------
    UserError
        As `make_bitstream`, and if ``vivado`` has another plan.
    """
    work = build / WORK
    with exclusive(build):
        file = work / PLAN
        if not file.is_file() or file.read_text() != planned.json():
            raise UserError(f"{file} is not the plan of this build: plan again and run its command")
        report = work / "timing.rpt"
        text = report.read_text() if report.is_file() else ""
        match = re.search(r"Tool Version : Vivado v\.(\d{4}\.\d)", text)
        return _finish(planned, build, match[1] if match else "of unknown version", finished=True)


def _finish(planned: VivadoPlan, build: Path, number: str, finished: bool) -> Built:
    """Check the tool's results and publish them; `finished`: there is a bitstream."""
    _check_unchanged(planned, build)  # Vivado may have run for hours
    built = _collect(planned, build / WORK, number, finished)
    if not finished or not built.timing.met:
        raise UserError(missed(planned, built.timing, build / WORK) + earlier_bitstream(build))
    return _publish(planned, built, build)


def _check_unchanged(planned: VivadoPlan, build: Path) -> None:
    if current(planned, build) != planned:
        raise UserError(f"{build}/rtl differs from the files of the plan: plan and build again")


def _show_step(line: str, progress: Progress) -> None:
    if line.startswith("bonn-hw: "):
        progress(line.removeprefix("bonn-hw: ").strip())


def _crash(code: int, work: Path, build: Path) -> str:
    """The message for a Vivado that ended with an error: its first error and the last step."""
    lines = (work / "console.log").read_text().splitlines()
    steps = [line.removeprefix("bonn-hw: step ") for line in lines if "bonn-hw: step " in line]
    faults = [line for line in lines if line.startswith(("ERROR:", "bonn-hw: error:"))]
    fault = faults[0] if faults else (lines[-1] if lines else "no output")
    ended = f"signal {-code}" if code < 0 else f"exit code {code}"
    return (
        f"vivado failed in step {steps[-1] if steps else 'start'} ({ended}): {fault.strip()}; see "
        f"{work / 'vivado.log'}{earlier_bitstream(build)}"
    )


def _collect(planned: VivadoPlan, work: Path, number: str, finished: bool) -> Built:
    if finished:
        missing = [name for name in planned.results if not _is_there(work, name)]
        if missing:
            raise UserError(
                f"vivado ended without an error and has not written {', '.join(missing)}"
            )
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


def _is_there(work: Path, name: str) -> bool:
    return name == "accelerator.rpt" or (work / name).is_file()


def _publish(planned: VivadoPlan, built: Built, build: Path) -> Built:
    """Replace the folder ``bitstream`` by the results; remove the folder ``vivado``."""
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
    """The message for missed timing: the worst path, its slack, and a remedy."""
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
    """The stage of the design that a pin belongs to."""
    return next((part for part in pin.split("/") if part in stages), None)


def stages_of(rtl: Path) -> set[str]:
    """The instances in ``top.v``, one per stage; empty without that file."""
    top = rtl / "top.v"
    text = top.read_text() if top.is_file() else ""
    return set(re.findall(r"^  \) (\w+) \($", text, re.MULTILINE))
