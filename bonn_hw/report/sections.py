# SPDX-License-Identifier: BSD-3-Clause
"""A build's report in sections: each command writes its own, and report.json is all of them merged.

``report/predicted.json`` is `fold`'s or `compile`'s, ``simulated.json`` `simulate`'s,
``synthesised.json`` `synth`'s, ``implemented.json`` `bitstream`'s. A command takes the folder's
lock, reads the other sections as they are now, and writes its own and report.json: commands that
run at the same time lose nothing of each other's.

Of simulations, the run without stalls that has the most frames is kept, the newest of equal ones;
one with stalls only until there is one without. The last run stands beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from bonn_hw import files
from bonn_hw.errors import UserError
from bonn_hw.report.merge import with_implemented, with_simulated, with_synthesised
from bonn_hw.report.section_values import Implemented, Simulated, Simulations, Synthesised
from bonn_hw.report.store import NAME, load, save
from bonn_hw.report.values import Report

FOLDER = "report"
PREDICTED, SIMULATED = "predicted.json", "simulated.json"
SYNTHESISED, IMPLEMENTED = "synthesised.json", "implemented.json"
COMMANDS = {SIMULATED: "simulate", SYNTHESISED: "synth", IMPLEMENTED: "bitstream"}
V = TypeVar("V")


def begin(folder: Path, report: Report) -> None:
    """Write the first section and report.json into a folder that nobody else has yet."""
    save(report, folder / FOLDER / PREDICTED)
    save(report, folder / NAME)


def identity(folder: Path) -> str | None:
    """What a build is known by: changes where it is made anew with another outcome.

    None for a build of before there were sections.
    """
    first = folder / FOLDER / PREDICTED
    return hashlib.sha256(first.read_bytes()).hexdigest() if first.is_file() else None


def add_simulated(folder: Path, build: str | None, found: Simulated) -> Report:
    """Keep a simulation; returns the report with this very run, which report.json may not have.

    Raises
    ------
    UserError
        If the build is another than the one that was simulated, whose `identity` is ``build``, or
        a section cannot be read or written. The same holds for the functions below.
    """
    with _locked(folder, build):
        before = _section(Simulations, folder, SIMULATED)
        kept = before is not None and before.main.weight > found.weight
        main = before.main if before is not None and kept else found
        save(Simulations(main=main, last=found), folder / FOLDER / SIMULATED)
        _write_merged(folder)
        return with_simulated(merged(folder), found)


def add_synthesised(folder: Path, build: str | None, found: Synthesised) -> Report:
    """Keep a synthesis beside what was synthesised before; returns the report."""
    with _locked(folder, build):
        before = _section(Synthesised, folder, SYNTHESISED)
        if before is not None:
            found = Synthesised(
                whole=found.whole or before.whole,
                stages={**before.stages, **found.stages},
                tools={**before.tools, **found.tools},
            )
        save(found, folder / FOLDER / SYNTHESISED)
        return _write_merged(folder)


def add_implemented(folder: Path, build: str | None, found: Implemented) -> Report:
    """Keep the figures of a bitstream in place of those of an earlier one; returns the report."""
    with _locked(folder, build):
        save(found, folder / FOLDER / IMPLEMENTED)
        return _write_merged(folder)


def merged(folder: Path) -> Report:
    """All sections as one report; of a build without sections, its report.json."""
    first = folder / FOLDER / PREDICTED
    report = load(Report, first if first.is_file() else folder / NAME)
    if synthesised := _section(Synthesised, folder, SYNTHESISED):
        report = with_synthesised(report, synthesised)
    if implemented := _section(Implemented, folder, IMPLEMENTED):
        report = with_implemented(report, implemented)
    if simulated := _section(Simulations, folder, SIMULATED):
        report = with_simulated(report, simulated.main)
    return report


def _write_merged(folder: Path) -> Report:
    report = merged(folder)
    save(report, folder / NAME)
    return report


def _section(kind: type[V], folder: Path, name: str) -> V | None:
    path = folder / FOLDER / name
    remedy = f"remove it, and run 'bonn-hw {COMMANDS[name]} {folder}' again for its figures"
    return load(kind, path, remedy) if path.exists() else None


@contextmanager
def _locked(folder: Path, build: str | None) -> Iterator[None]:
    """Keep other commands from the report for a moment."""
    with files.lock(folder / NAME):
        if identity(folder) != build:
            raise UserError(
                f"{folder} was made anew while this command ran: its figures are those of another "
                "design and are not kept; run the command again"
            )
        yield
