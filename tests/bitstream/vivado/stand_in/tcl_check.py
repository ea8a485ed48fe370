# SPDX-License-Identifier: BSD-3-Clause
"""Check of the Vivado scripts without Vivado: a real Tcl interpreter, a recorded command set.

Every command of every script is checked as it stands (name, options, properties of IPs, arguments
of own procedures), also where no run comes by. Then the scripts run for every board against a
stand-in of the tool that keeps a block design, so that the order of steps, pins, interfaces,
addresses and files are checked as well.

``python -m tests.bitstream.vivado.stand_in.tcl_check [BUILD]`` does this and lists what it finds;
with a build, the scripts run on its RTL too.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bonn_hw.bitstream.vivado.plan import MAIN, arguments, scripts_folder
from bonn_hw.boards import BOARDS
from bonn_hw.errors import ToolMissing, near
from tests.bitstream.vivado.stand_in.commands import CommandSet, TclFault, looks_like_option
from tests.bitstream.vivado.stand_in.packager import INTERFACE, ports_of
from tests.bitstream.vivado.stand_in.syntax import UNREAD, Statement, statements
from tests.bitstream.vivado.stand_in.tool import MockTool, Scenario

COMMANDS = Path(__file__).with_name("commands.json")
PLANNED = tuple(name for name, board in BOARDS.items() if "vivado" in board.tools)
# A module with the ports of the shell (docs/shell.md), for checks without a build.
SYSTEM = """module system (input wire aclk, input wire aresetn, output wire interrupt,
{ports});
  top #(.IMAGE("mem/weights.hex")) core ();
endmodule
"""
PRELUDE = """
rename puts tcl_puts
proc puts {args} {
    if {[llength $args] == 1} {mock_output [lindex $args 0]} else {tcl_puts {*}$args}
}
proc exit {{code 0}} {mock_exit $code; return -code error -errorcode {MOCK EXIT} "exit $code"}
foreach name {exec socket} {catch {rename $name {}}}
proc unknown {name args} {mock_fault "unknown command '$name'" [info frame -1]}
proc mock_fault {text frame} {
    return -code error [mock_problem $text $frame]
}
proc mock_vendor {name words frame} {
    lassign [mock_call $name $words $frame] good answer
    if {!$good} {mock_fault $answer $frame}
    return $answer
}
"""
VENDOR = "proc {name} args {{mock_vendor {name} $args [info frame -1]}}"


@dataclass(frozen=True)
class Problem:
    """Something that is wrong with a script."""

    script: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.script}:{self.line}: {self.text}"


@dataclass
class Run:
    """A run of the scripts.

    Attributes
    ----------
    code : int or None
        Exit code.
    output : list
        What was printed, line by line.
    calls : list
        Calls of the tool: name and words as they were given.
    places : set
        Which commands of the tool were reached: name, script, line.
    problems : list
        What was wrong.
    """

    code: int | None = None
    output: list[str] = field(default_factory=list)
    calls: list[tuple[str, ...]] = field(default_factory=list)
    places: set[tuple[str, str, int]] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)


def interpreter() -> Any:
    """A Tcl interpreter without a display; raises ToolMissing."""
    try:
        import tkinter
    except ImportError as error:
        raise ToolMissing(
            "the check of the Tcl scripts needs Python's tkinter module, which is not installed: "
            "install the package python3-tk, or a Python that has it"
        ) from error
    return tkinter.Tcl()


@dataclass
class _Bridge:
    """What the interpreter calls; nothing is raised in here, since it would be lost in Tcl."""

    tcl: Any
    known: CommandSet
    tool: MockTool
    run: Run

    def call(self, name: str, words: str, frame: str) -> tuple[bool, Any]:
        """Do a command of the tool: whether it went well, and its answer or its fault."""
        found = self.tcl.splitlist(words)
        self.run.calls.append((name, *found))
        self.run.places.add((name, *self._place(frame)))
        try:
            return True, self.tool.answer(self.known.commands[name].parse(found))
        except TclFault as fault:
            return False, str(fault)
        except Exception as error:
            return False, f"{name}: {type(error).__name__}: {error}"

    def problem(self, text: str, frame: str) -> str:
        """Note a problem at the place that ``info frame`` tells."""
        place = Problem(*self._place(frame), text)
        self.run.problems.append(place)
        return str(place)

    def _place(self, frame: str) -> tuple[str, int]:
        words = self.tcl.splitlist(frame)
        at = dict(zip(words[::2], words[1::2], strict=False))
        return Path(at.get("file", "?")).name, int(at.get("line", 0))

    def exit(self, code: str) -> None:
        """Note how the script ends."""
        self.run.code = int(code)

    def install(self) -> None:
        """Define the commands of the tool."""
        self.tcl.createcommand("mock_call", self.call)
        self.tcl.createcommand("mock_problem", self.problem)
        self.tcl.createcommand("mock_output", self.run.output.append)
        self.tcl.createcommand("mock_exit", self.exit)
        self.tcl.eval(PRELUDE)
        for name in self.known.commands:
            if "::" in name:
                self.tcl.eval(f"namespace eval {name.rpartition('::')[0]} {{}}")
            self.tcl.eval(VENDOR.format(name=name))


def execute(folder: Path, given: Sequence[str], scenario: Scenario | None = None) -> Run:
    """Run the main script of a folder with arguments; the tool is a stand-in, files are real."""
    known = CommandSet.read(COMMANDS)
    tcl, run = interpreter(), Run()
    tool = MockTool(known, scenario or Scenario(), tcl.splitlist)
    _Bridge(tcl, known, tool, run).install()
    tcl.setvar("argv", tuple(given))
    _source(tcl, folder / MAIN, run)
    return run


def _source(tcl: Any, script: Path, run: Run) -> None:
    before, trace = Path.cwd(), ""
    try:
        tcl.call("source", str(script))
    except Exception as error:  # tkinter.TclError, whose module may not be there
        if type(error).__name__ != "TclError":
            raise
        trace = str(tcl.getvar("errorInfo"))
    finally:
        os.chdir(before)  # the scripts change it, and so for this process
    if run.code is None:
        run.code = 1 if trace else 0
    else:
        trace = "\n".join(run.output)  # the script prints the trace before it exits
    if run.code == 1 and not run.problems:
        run.problems.append(_traced(script, trace))


def _traced(script: Path, trace: str) -> Problem:
    """The innermost place that Tcl's trace of an error names."""
    trace = trace.rpartition("bonn-hw: error: ")[2]
    text = trace.partition("\n")[0]
    inside = re.search(r'\(procedure "([^"]+)" line (\d+)\)', trace)
    at = re.search(r'\(file "([^"]+)" line (\d+)\)', trace)
    if inside is None:
        return Problem(Path(at[1]).name if at else script.name, int(at[2]) if at else 0, text)
    bodies = {
        statement.words[1].text: (path.name, statement.words[3].line)
        for path in sorted(script.parent.glob("*.tcl"))
        for statement in statements(path.read_text())
        if statement.name == "proc"
    }
    name, line = bodies[inside[1]]
    return Problem(name, line + int(inside[2]) - 1, text)


def read_through(folder: Path) -> list[Problem]:
    """Check every command of every script as it stands."""
    known = CommandSet.read(COMMANDS)
    own = set(interpreter().splitlist(interpreter().eval("info commands"))) | {"exit"}
    scripts = {path.name: path for path in sorted(folder.glob("*.tcl"))}
    found: list[Problem] = []
    listed: list[tuple[str, Statement]] = []
    for name, path in scripts.items():
        try:
            listed += [(name, statement) for statement in statements(path.read_text())]
        except SyntaxError as error:
            found.append(Problem(name, 0, str(error)))
    procedures = {
        words[1].text: interpreter().splitlist(words[2].text)
        for words in (s.words for _, s in listed if s.name == "proc")
    }
    for name, statement in listed:
        for text in _faults(statement, known, own, procedures):
            found.append(Problem(name, statement.line, text))
    return found


def _faults(
    statement: Statement,
    known: CommandSet,
    own: set[str],
    procedures: Mapping[str, Sequence[str]],
) -> Iterator[str]:
    name, words = statement.name, statement.words[1:]
    if not name:
        return
    if name in procedures:
        if not any(word.text.startswith("${}") for word in words):
            yield from _arity(name, procedures[name], len(words))
    elif name in known.commands:
        for word in words:
            if word.literal and not word.braced and looks_like_option(word.text):
                try:
                    known.commands[name].option(word.text)
                except TclFault as fault:
                    yield str(fault)
    elif name in UNREAD:
        yield f"{name} is not looked into by the check: write it with if, foreach and catch"
    elif name not in own:
        yield f"unknown command '{name}'{near(name, (*known.commands, *procedures))}"
    properties = {prop for ip in known.ips.values() for prop in ip["properties"]}
    for word in words:
        short = word.text.removeprefix("CONFIG.")
        if word.literal and short != word.text and " " not in short and short not in properties:
            yield f"no IP has a property {word.text}{near(short, properties)}"


def _arity(name: str, arguments_: Sequence[str], given: int) -> Iterator[str]:
    needed = sum(" " not in argument for argument in arguments_)
    if arguments_ and arguments_[-1] == "args":
        if given < needed - 1:
            yield f"procedure {name} takes at least {needed - 1} arguments, not {given}"
    elif not needed <= given <= len(arguments_):
        yield f"procedure {name} takes {len(arguments_)} arguments, not {given}"


MET = "timing met"
SCENARIOS = {
    MET: (Scenario(), 0),
    "timing repaired": (Scenario(slack_ns=-0.1, repaired_ns=0.01), 0),
    "timing missed": (Scenario(slack_ns=-0.5, repaired_ns=-0.4), 4),
    "hold missed": (Scenario(hold_ns=-0.01), 4),
    "part not installed": (Scenario(part_known=False), 1),
    "synthesis fails": (Scenario(fails="synth_design"), 1),
}


def check(folder: Path | None = None, boards: Sequence[str] = PLANNED) -> list[Problem]:
    """Read all scripts, then run them for the boards and all ways that a run can go.

    The scripts tell families apart and no boards: of a family, the first takes all ways, and the
    others the good one.
    """
    folder = folder or scripts_folder()
    found = read_through(folder)
    if found:
        return found
    first = {BOARDS[name].family: name for name in reversed(boards)}.values()
    for board in boards:
        for interrupt in ("controller", "direct"):
            ways = SCENARIOS if board in first else {MET: SCENARIOS[MET]}
            for name, (scenario, code) in ways.items():
                with tempfile.TemporaryDirectory(prefix="bonn_hw-") as scratch:
                    run = trial(folder, board, Path(scratch), interrupt, scenario)
                told = run.problems[:1] if code != 1 else []
                if run.code != code and not told:
                    end = run.output[-1] if run.output else "no output"
                    told = [Problem(MAIN, 0, f"exit code {run.code}, not {code}: {end}")]
                found += [replace(p, text=f"{p.text} ({board}, {name})") for p in told]
    return found


def trial(folder: Path, board: str, scratch: Path, interrupt: str, scenario: Scenario) -> Run:
    """Run for a board with RTL that has no more than the shell's ports."""
    rtl = scratch / "rtl"
    write_rtl(rtl)
    out = str(scratch / "out")
    given = arguments(BOARDS[board], 100.0, "accelerator", str(rtl), out, interrupt)
    return execute(folder, given, scenario)


def check_build(build: Path) -> list[Problem]:
    """Run the scripts on the RTL of a build, for all boards."""
    found = list[Problem]()
    for board in PLANNED:
        with tempfile.TemporaryDirectory(prefix="bonn_hw-") as scratch:
            given = arguments(BOARDS[board], 100.0, "accelerator", str(build / "rtl"), scratch)
            run = execute(scripts_folder(), given)
        found += [replace(problem, text=f"{problem.text} ({board})") for problem in run.problems]
    return found


def write_rtl(rtl: Path) -> None:
    """Write the least that the flow takes for a build's RTL."""
    ports = ",\n".join(
        f"  inout wire {name}" for bus in INTERFACE for name in sorted(ports_of(bus))
    )
    for name, text in {
        "system.v": SYSTEM.format(ports=ports),
        "mem/weights.hex": "0\n",
        "shell/registers.sv": "// registers\n",
        "cells/rom.sv": "// rom\n",
        "mvu.sv": "// mvu\n",
    }.items():
        (rtl / name).parent.mkdir(parents=True, exist_ok=True)
        (rtl / name).write_text(text)


def main(words: Sequence[str]) -> int:
    """Check the scripts of this installation; 1 if something is wrong with them."""
    found = check()
    for build in words:
        found += check_build(Path(build))
    for problem in found:
        print(problem, file=sys.stderr)
    print(f"{len(found)} problems in {len(PLANNED)} boards' scripts")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
