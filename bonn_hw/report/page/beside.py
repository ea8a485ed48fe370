# SPDX-License-Identifier: BSD-3-Clause
"""``report.html`` of a build, which every command that changes the report writes again."""

from __future__ import annotations

from pathlib import Path

from bonn_hw import files
from bonn_hw.ir import store
from bonn_hw.ir.design import FoldedDesign
from bonn_hw.kernels import kernels
from bonn_hw.report import sections
from bonn_hw.report.page.document import NAME, page, write
from bonn_hw.report.store import NAME as REPORT


def begin(folder: Path, design: FoldedDesign, title: str) -> bool:
    """Write the page of a new folder, which no other command uses; see `write_again`.

    Parameters
    ----------
    title : str
        The name that the folder will have.
    """
    try:
        write(sections.shown(folder), design, title, folder / NAME)
    except Exception:
        return False
    return True


def write_again(folder: Path, design: FoldedDesign) -> bool:
    """Write a build's page beside its report.json; returns whether it could be written.

    The page is an extra: whatever happens to it, the command that calls this has done its work.
    """
    try:
        with files.lock(folder / REPORT):  # so that the page is the one of the last report.json
            return begin(folder, design, folder.resolve().name)
    except Exception:
        return False


def page_of(folder: Path) -> str:
    """The page of a folder of ``compile`` or ``fold``.

    Raises
    ------
    UserError
        If the report cannot be read.
    """
    report = sections.shown(folder)
    design = store.load(FoldedDesign, folder, "design", kernels())
    return page(report, design, folder.resolve().name)
