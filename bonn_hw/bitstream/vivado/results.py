# SPDX-License-Identifier: BSD-3-Clause
"""Results of a plan: they are read, checked against the plan, and published.

They come from a Vivado that this program has run, or from one on another machine. In both cases,
the reports and the bitstream must be of the plan's part and RTL, and of one supported version.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from bonn_hw.bitstream.tool_runs import TARGET
from bonn_hw.bitstream.vivado.bit_file import NO_STAMP, BitFault, read_header, same_part
from bonn_hw.bitstream.vivado.plan import NEWEST, OLDEST, PLAN, WORK, VivadoPlan
from bonn_hw.bitstream.vivado.reports import (
    ReportFault,
    Timing,
    made_by,
    read_timing,
    read_utilisation,
)
from bonn_hw.errors import UserError
from bonn_hw.files import MARK, fresh_folder
from bonn_hw.ir.resources import Resources
from bonn_hw.report.figures import PerResource
from bonn_hw.report.section_values import Implemented, ImplementedAmount
from bonn_hw.report.store import save
from bonn_hw.report.values import Timing as TimingFigures


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


def collect(planned: VivadoPlan, work: Path, finished: bool) -> Built:
    """Read the results in a folder.

    Parameters
    ----------
    finished : bool
        Whether there must be a bitstream: timing may have been missed.

    Raises
    ------
    UserError
        If a file is missing or cannot be read, or if it is of another part, of other RTL or of a
        version of Vivado that the scripts are not written for.
    """
    if finished:
        missing = [name for name in planned.results if not _is_there(work, name)]
        if missing:
            raise UserError(
                f"vivado ended without an error and has not written {', '.join(missing)}"
            )
    try:
        timing, core = work / "timing.rpt", work / "accelerator.rpt"
        number, device = made_by(timing)
        built = Built(
            folder=work,
            bitstream=work / f"{planned.name}.bit",
            version=number,
            timing=read_timing(timing),
            whole=read_utilisation(work / "utilization.rpt"),
            core=read_utilisation(core) if core.is_file() else None,
        )
    except (ReportFault, OSError) as error:
        raise UserError(f"a report of vivado cannot be read: {error}; see {work}") from None
    check_version(number, str(timing))
    _check_part(device, planned, str(timing))
    if finished:
        _check_bitstream(planned, built)
    return built


def _is_there(work: Path, name: str) -> bool:
    return name == "accelerator.rpt" or (work / name).is_file()


def check_version(number: str, where: str) -> None:
    """Raise UserError for a version of Vivado that the scripts are not written for."""
    year, _, minor = number.partition(".")
    if not OLDEST <= (int(year), int(minor)) <= NEWEST:
        raise UserError(
            f"{where} is of version {number}: the scripts are written for {dotted(OLDEST)} to "
            f"{dotted(NEWEST)}; take one of these"
        )


def dotted(number: tuple[int, int]) -> str:
    """A version as text."""
    return f"{number[0]}.{number[1]}"


def _check_part(device: str, planned: VivadoPlan, where: str) -> None:
    if not same_part(device, planned.part):
        raise UserError(
            f"{where} is of the part {device}, the plan of {planned.part}: take all results from "
            "one run of this plan"
        )


def _check_bitstream(planned: VivadoPlan, built: Built) -> None:
    try:
        header = read_header(built.bitstream)
    except (BitFault, OSError) as error:
        raise UserError(f"{error}: copy {built.bitstream} again") from None
    _check_part(header.part, planned, str(built.bitstream))
    # Without a stamp, only the driver finds out: it compares the hash of the loaded design.
    if header.stamp not in (planned.stamp, NO_STAMP) or header.version != built.version:
        raise UserError(
            f"{built.bitstream} has the user ID {header.stamp} and is of vivado {header.version}; "
            f"the plan has {planned.stamp}, the reports are of vivado {built.version}: take all "
            "results from one run of this plan"
        )


def publish(planned: VivadoPlan, built: Built, build: Path) -> Built:
    """Replace the folder ``bitstream`` by the results; remove the folder ``vivado`` they are in."""
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
    if work.resolve() == (build / WORK).resolve():
        shutil.rmtree(work, ignore_errors=True)
    return replace(built, folder=target, bitstream=target / built.bitstream.name)
