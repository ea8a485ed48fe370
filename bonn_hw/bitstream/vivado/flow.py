# SPDX-License-Identifier: BSD-3-Clause
"""Run the plan of a Vivado build: RTL -> bitstream, hardware description, figures.

Vivado runs in the build's folder ``vivado``. The folder ``bitstream`` is replaced when all files
are there and timing is met; if a run fails, an earlier one is unchanged.
"""

from __future__ import annotations

import re
from pathlib import Path

from bonn_hw import tools
from bonn_hw.bitstream.tool_runs import earlier_bitstream, exclusive
from bonn_hw.bitstream.vivado.plan import (
    NEWEST,
    OLDEST,
    PLAN,
    RUN,
    WORK,
    VivadoPlan,
    current,
    differences,
    is_written,
    keep_untaken,
    read_plan,
    write,
)
from bonn_hw.bitstream.vivado.portable import FOLDER, RESULTS, write_archive
from bonn_hw.bitstream.vivado.results import Built, check_version, collect, dotted, publish
from bonn_hw.bitstream.vivado.timing_missed import missed, stages_of
from bonn_hw.errors import ToolMissing, UserError
from bonn_hw.progress import Progress, silent

ANSWER_S = 120.0  # to wait for the tool's version
MISSED = 4  # exit code of the scripts: routed, timing missed
# Vivado's own lines within a step: ``Phase 2.1 Floorplanning``, ``Start Technology Mapping``.
PHASE = re.compile(r"(?:Phase [\d.]+ |Start(?:ing)? )\w[^|:]*?(?=\s*(?:$|[|:]))")


def find_tool() -> Path:
    """The path of Vivado; raises ToolMissing."""
    return tools.find(
        "vivado",
        f"source the settings64.sh of Vivado {dotted(OLDEST)} to {dotted(NEWEST)}, or run the "
        "plan where it is installed",
    )


def version(program: Path) -> str:
    """Version of Vivado; raises UserError if the scripts do not support it."""
    try:
        output = tools.run([program, "-version"], timeout_s=ANSWER_S).output
    except (OSError, UserError) as error:
        output = str(error)
    match = re.search(r"vivado v(\d{4}\.\d)", output, re.IGNORECASE)
    if match is None:
        first = output.strip().partition("\n")[0] or "nothing"
        raise UserError(f"{program} -version says {first!r} and no version: check its installation")
    check_version(match[1], "vivado")
    return match[1]


def make_bitstream(planned: VivadoPlan, build: Path, progress: Progress = silent) -> Built:
    """Run a plan; this takes hours for a large network.

    Raises
    ------
    ToolMissing
        If Vivado is not on PATH; the plan is written nevertheless, also as an archive.
    UserError
        For an unsupported version of Vivado, files that differ from those of the plan, an error of
        Vivado, missed timing, or a bitstream in ``vivado`` that was not taken. The folder
        ``bitstream`` is not changed then.
    """
    with exclusive(build):
        _check_unchanged(planned, build)
        keep_untaken(build)
        try:
            program = find_tool()
        except ToolMissing as error:
            raise ToolMissing(f"{error}; {_hand_over(planned, build)}") from None
        number = version(program)
        write(planned, build)
        work = build / WORK
        command = [str(program), *planned.command[1:]]
        log = work / "console.log"
        code = tools.run(command, cwd=work, log=log, on_line=Steps(progress)).code
        if code not in (0, MISSED):
            raise UserError(_crash(code, work, build))
        _check_unchanged(planned, build)  # Vivado may have run for hours
        built = _met(planned, work, build, finished=code == 0)
        if built.version != number:
            raise UserError(f"{work} has results of vivado {built.version}, not {number}")
        return publish(planned, built, build)


def _hand_over(planned: VivadoPlan, build: Path) -> str:
    """Write the plan for another machine; the end of the message says what to do there."""
    if not is_written(planned, build):  # else it may be running there now
        write(planned, build)
    archive = write_archive(planned, build)
    return (
        f"the plan is written: copy {archive} to a machine that has it, run 'tar xf "
        f"{archive.name} && sh {FOLDER}/{WORK}/scripts/{RUN}' there, copy {FOLDER}/{RESULTS} back, "
        f"and run 'bonn-hw bitstream {build.parent} --take {RESULTS}'"
    )


def take_results(planned: VivadoPlan, build: Path, work: Path, stages: set[str]) -> Built:
    """Take the results of a plan that was run by hand or on another machine.

    Parameters
    ----------
    planned : VivadoPlan
        The plan of this build for the same board and clock.
    work : Path
        Folder of the results; it is left as it is, unless it is the build's own.
    stages : set of str
        As `timing_missed.missed`.

    Raises
    ------
    UserError
        If they are results of another plan, are not complete, or if timing is missed.
    """
    with exclusive(build):
        other = differences(planned, read_plan(work / PLAN))
        if other:
            raise UserError(
                f"{work / PLAN} is not the plan of this build: {'; '.join(other)}: plan and run it "
                "again, or take results of this build's plan"
            )
        reports = (work / "timing.rpt").is_file()
        there = (work / f"{planned.name}.bit").is_file()
        if not reports and not there:
            raise UserError(f"{work} has a plan and no results: run 'sh scripts/{RUN}' there")
        # Reports alone: the scripts write no bitstream where timing is missed.
        return publish(planned, _met(planned, work, build, there, stages), build)


def _met(
    planned: VivadoPlan, work: Path, build: Path, finished: bool, stages: set[str] | None = None
) -> Built:
    """Read and check the results; raises UserError if timing is missed."""
    built = collect(planned, work, finished)
    if not finished or not built.timing.met:
        found = stages_of(build / "rtl") if stages is None else stages
        raise UserError(missed(planned, built.timing, work, found) + earlier_bitstream(build))
    return built


def _check_unchanged(planned: VivadoPlan, build: Path) -> None:
    if current(planned, build) != planned:
        raise UserError(f"{build}/rtl differs from the files of the plan: plan and build again")


class Steps:
    """Progress from the output of Vivado: the step of the scripts and the tool's own phase."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._step = progress, ""

    def __call__(self, line: str) -> None:
        """Read a line of the output."""
        if line.startswith("bonn-hw: "):
            self._step = line.removeprefix("bonn-hw: ").strip()
            self._progress(self._step)
        elif self._step and (found := PHASE.match(line)):
            self._progress(f"{self._step}, {found[0]}")


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
