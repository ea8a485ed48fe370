# SPDX-License-Identifier: BSD-3-Clause
"""A build's report in sections: each command writes its own, and report.json is all of them merged.

`fold` and `compile` write ``report/predicted.json``, `simulate` writes ``simulated.json``, `synth`
``synthesised.json`` and `bitstream` ``implemented.json``. A command locks the folder, reads the
other sections as they are now, and writes its own section and report.json. So commands that run at
the same time do not overwrite each other's figures.

Of several simulations, the report has the one without stalls that has the most frames, or the
newest of equal ones. A run with stalls is used only if there is none without. ``simulated.json``
also has the last run.
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
    """Write the first section and report.json into a new folder."""
    save(report, folder / FOLDER / PREDICTED)
    save(report, folder / NAME)


def identity(folder: Path) -> str | None:
    """A digest of a build's predicted figures: it changes if the folder gets another build.

    None for a build from before there were sections.
    """
    first = folder / FOLDER / PREDICTED
    return hashlib.sha256(first.read_bytes()).hexdigest() if first.is_file() else None


def add_simulated(folder: Path, build: str | None, figures: Simulated) -> Report:
    """Add a simulation; returns the report with this run, which may not be the one in report.json.

    Raises
    ------
    UserError
        If the folder has another build than the one that was simulated, whose `identity` is
        ``build``, or if a section cannot be read or written. The same holds for the functions
        below.
    """
    with _locked(folder, build):
        before = _section(Simulations, folder, SIMULATED)
        better = before is not None and before.main.weight > figures.weight
        main = before.main if before is not None and better else figures
        save(Simulations(main=main, last=figures), folder / FOLDER / SIMULATED)
        _write_merged(folder)
        return with_simulated(merged(folder), figures)


def add_synthesised(folder: Path, build: str | None, figures: Synthesised) -> Report:
    """Add a synthesis to those of other stages; returns the report."""
    with _locked(folder, build):
        before = _section(Synthesised, folder, SYNTHESISED)
        if before is not None:
            figures = Synthesised(
                whole=figures.whole or before.whole,
                stages={**before.stages, **figures.stages},
                tools={**before.tools, **figures.tools},
            )
        save(figures, folder / FOLDER / SYNTHESISED)
        return _write_merged(folder)


def add_implemented(folder: Path, build: str | None, figures: Implemented) -> Report:
    """Replace the figures of the bitstream; returns the report."""
    with _locked(folder, build):
        save(figures, folder / FOLDER / IMPLEMENTED)
        return _write_merged(folder)


def merged(folder: Path) -> Report:
    """All sections as one report; for a build without sections, its report.json."""
    first = folder / FOLDER / PREDICTED
    report = load(Report, first if first.is_file() else folder / NAME)
    if synthesised := _section(Synthesised, folder, SYNTHESISED):
        report = with_synthesised(report, synthesised)
    if implemented := _section(Implemented, folder, IMPLEMENTED):
        report = with_implemented(report, implemented)
    if simulated := _section(Simulations, folder, SIMULATED):
        report = with_simulated(report, simulated.main)
    return report


def shown(folder: Path) -> Report:
    """The report for a reader: of the last run, if that one found a mismatch."""
    report = merged(folder)
    simulated = _section(Simulations, folder, SIMULATED)
    if simulated is not None and simulated.last.comparison.mismatches:
        return with_simulated(report, simulated.last)
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
    """Lock the report, so that no other command changes it."""
    with files.lock(folder / NAME):
        if identity(folder) != build:
            raise UserError(
                f"{folder} was replaced while this command ran: its figures belong to another "
                "design and are not saved; run the command again"
            )
        yield
