# SPDX-License-Identifier: BSD-3-Clause
"""The plan of a Vivado build: command, digests of the files, and results. Runs nothing.

A plan has no absolute paths: its command is run in ``BUILD/vivado``, where `write` puts the
scripts, and reads ``BUILD/rtl``. The plan of the same build always has the same bytes. `run.sh`
runs the command where there is no bonn-hw, and packs the results.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bonn_hw.boards import check_clock, check_tool
from bonn_hw.errors import UserError
from bonn_hw.files import shipped, writing
from bonn_hw.ir.target import Board

MAIN = "bitstream.tcl"
RUN = "run.sh"
WORK = "vivado"  # folder of a build in which Vivado runs
PLAN = "plan.json"
COMMAND = "command.txt"  # a word of the command on each line, for RUN
OLDEST, NEWEST = (2020, 2), (2025, 1)
REPORTS = ("timing.rpt", "utilization.rpt", "accelerator.rpt", "route.rpt")
SCRIPTS = ("*.tcl", RUN)
SOURCES = ("*.v", "*.sv", "cells/*.sv", "shell/*.sv", "mem/*.hex")
# Of the registers, by processing_system.tcl. On an UltraScale+ pynq reads the widths of the ports
# from the .hwh, which has the address as well.
ADDRESSES = {"zynq-7000": 0x43C00000}
THREADS = 4  # one number for all machines: a plan must not depend on where it was made


@dataclass(frozen=True)
class VivadoPlan:
    """The command, its inputs and its results.

    Attributes
    ----------
    command : tuple of str
        Program and arguments; it runs in the build's folder ``vivado``.
    sources, scripts : mapping
        SHA-256 of the files in ``rtl`` and ``vivado/scripts``, by relative path.
    results : tuple of str
        The files in the folder ``bitstream`` of a finished build.
    clock_mhz : float
        Requested clock; the device divides it from a PLL and may have another.
    stamp : str
        Eight hexadecimal digits, of the RTL, the part and the clock: the bitstream's user ID.
    """

    board: str
    part: str
    clock_mhz: float
    name: str
    command: tuple[str, ...]
    sources: Mapping[str, str]
    scripts: Mapping[str, str]
    results: tuple[str, ...]
    stamp: str
    tool: str = "vivado"
    versions: tuple[str, str] = (f"{OLDEST[0]}.{OLDEST[1]}", f"{NEWEST[0]}.{NEWEST[1]}")

    @property
    def pll_mhz(self) -> float:
        """The PLL of the board from which the clock is divided, by whole numbers."""
        return float(self.command[self.command.index("--pll-mhz") + 1])

    def json(self) -> str:
        """The plan as text."""
        return json.dumps({"schema": 1} | asdict(self), indent=2, sort_keys=True) + "\n"

    @property
    def sha256(self) -> str:
        """Digest of the text."""
        return hashlib.sha256(self.json().encode()).hexdigest()


def scripts_folder() -> Path:
    """The folder of the scripts."""
    return shipped("flows", "scripts", "vivado")


def arguments(
    board: Board,
    clock_mhz: float,
    name: str,
    rtl: str,
    out: str,
    interrupt: str = "controller",
    stamp: str = "0" * 8,
) -> tuple[str, ...]:
    """The arguments behind ``-tclargs``, with all settings of a board; see ``arguments.tcl``."""
    values = {
        "rtl": rtl,
        "part": board.part,
        "family": board.family,
        "clock-mhz": f"{clock_mhz:g}",
        "name": name,
        "out": out,
        "interrupt": interrupt,
        "threads": str(THREADS),
        "stamp": stamp,
    }
    values |= {key.replace("_", "-"): text for key, text in board.processing_system}
    return tuple(word for key, value in values.items() for word in (f"--{key}", value))


def plan(
    build: Path,
    board: Board,
    clock_mhz: float | None = None,
    name: str = "accelerator",
    interrupt: str = "controller",
) -> VivadoPlan:
    """Plan the bitstream of a build.

    Parameters
    ----------
    build : Path
        Folder of a compiled design with its shell: ``rtl/system.v`` and its modules.
    clock_mhz : float, optional
        Default: the board's default clock.
    interrupt : str
        ``controller`` (an AXI interrupt controller, where PYNQ finds it) or ``direct``.

    Raises
    ------
    UserError
        If the board has no Vivado flow, or the build has no RTL with a shell.
    """
    check_tool(board, "vivado")
    clock = board.clock_mhz if clock_mhz is None else clock_mhz
    check_clock(board, clock)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
        raise UserError(
            f"name {name!r} cannot be a file's stem: letters, digits, _ and -, a letter first"
        )
    sources = _digests(build / "rtl", SOURCES)
    if "system.v" not in sources:
        raise UserError(
            f"{build} has no rtl/system.v, the accelerator with its shell: compile the model again"
        )
    top = build / "rtl" / "top.v"
    images = re.findall(r'"(mem/[^"]+)"', top.read_text()) if top.is_file() else []
    missing = sorted(set(images) - set(sources))
    if missing:
        raise UserError(f"{build}/rtl lacks {', '.join(missing)}, which top.v names: compile again")
    stamp = _stamp(board, clock, sources)
    script_arguments = arguments(board, clock, name, "../rtl", ".", interrupt, stamp)
    batch = ("-mode", "batch", "-nojournal", "-log", "vivado.log")
    return VivadoPlan(
        board=board.name,
        part=board.part,
        clock_mhz=clock,
        name=name,
        command=("vivado", *batch, "-source", f"scripts/{MAIN}", "-tclargs", *script_arguments),
        sources=sources,
        scripts=_digests(scripts_folder(), SCRIPTS),
        results=results_of(name),
        stamp=stamp,
    )


def results_of(name: str) -> tuple[str, ...]:
    """The files of a finished build; the bitstream and its hardware description come first."""
    return (f"{name}.bit", f"{name}.hwh", *REPORTS, "routed.dcp", "vivado.log")


def _stamp(board: Board, clock_mhz: float, sources: Mapping[str, str]) -> str:
    """It does not depend on the scripts, which a new version of bonn-hw may change meanwhile."""
    facts = json.dumps([board.part, clock_mhz, sources], sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()[:8]


def current(planned: VivadoPlan, build: Path) -> VivadoPlan:
    """The plan with the digests of the files as they are now."""
    return replace(
        planned,
        sources=_digests(build / "rtl", SOURCES),
        scripts=_digests(scripts_folder(), SCRIPTS),
    )


def _digests(folder: Path, patterns: tuple[str, ...]) -> dict[str, str]:
    files = sorted(path for pattern in patterns for path in folder.glob(pattern))
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def write(planned: VivadoPlan, build: Path) -> Path:
    """Replace the folder ``vivado`` by one with plan and scripts; returns the plan's path.

    Raises UserError if there is a bitstream in it that was not taken.
    """
    keep_untaken(build)
    work = build / WORK
    with writing(work):
        shutil.rmtree(work, ignore_errors=True)
        (work / "scripts").mkdir(parents=True)
        for name in planned.scripts:
            shutil.copyfile(scripts_folder() / name, work / "scripts" / name)
        (work / COMMAND).write_text("".join(f"{word}\n" for word in planned.command))
        (work / PLAN).write_text(planned.json())
    return work / PLAN


def keep_untaken(build: Path) -> None:
    """Raise UserError if the folder ``vivado`` has a bitstream that was not taken."""
    for found in sorted((build / WORK).glob("*.bit")):
        raise UserError(
            f"{found} was not taken yet: check and pack it with 'bonn-hw bitstream "
            f"{build.parent} --take', or move the folder {found.parent} away"
        )


def is_written(planned: VivadoPlan, build: Path) -> bool:
    """Whether the folder ``vivado`` has this plan: Vivado may be running there by hand."""
    file = build / WORK / PLAN
    return file.is_file() and file.read_text() == planned.json()


def read_plan(file: Path) -> VivadoPlan:
    """Read a plan; raises UserError."""
    try:
        facts = json.loads(file.read_text())
        if facts.pop("schema") != 1:
            raise ValueError("unknown schema")
        for key in ("command", "results", "versions"):
            facts[key] = tuple(facts[key])
        return VivadoPlan(**facts)
    except FileNotFoundError:
        raise UserError(
            f"{file.parent} has no {PLAN}: name the folder in which the plan was run, or the "
            "archive that its run.sh has written"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{file} is not a plan of bonn-hw ({error}): copy it again") from None


def differences(planned: VivadoPlan, taken: VivadoPlan) -> list[str]:
    """What distinguishes a plan that was run from the build's own plan.

    Scripts and versions may differ: bonn-hw may have been updated while Vivado ran.
    """
    found = [
        f"{key.replace('_', ' ')} is {getattr(taken, key)}, not {getattr(planned, key)}"
        for key in ("board", "part", "clock_mhz", "name")
        if getattr(taken, key) != getattr(planned, key)
    ]
    names = sorted({*planned.sources, *taken.sources})
    other = [name for name in names if planned.sources.get(name) != taken.sources.get(name)]
    if other:
        more = f" and {len(other) - 1} more files" if len(other) > 1 else ""
        found.append(f"rtl/{other[0]}{more} differ{'' if more else 's'}")
    return found
