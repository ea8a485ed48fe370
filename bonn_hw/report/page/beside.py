# SPDX-License-Identifier: BSD-3-Clause
"""``report.html`` of a build, which every command that changes the report writes again."""

from __future__ import annotations

from pathlib import Path

from bonn_hw.ir import store
from bonn_hw.ir.design import FoldedDesign
from bonn_hw.kernels import kernels
from bonn_hw.report import sections
from bonn_hw.report.page.document import NAME, page, write


def write_beside(folder: Path, design: FoldedDesign, title: str | None = None) -> bool:
    """Write a build's page beside its report.json; returns whether it could be written.

    The page is an extra: whatever happens to it, the command that calls this has done its work.

    Parameters
    ----------
    title : str or None
        None: the name of the folder.
    """
    try:
        report = sections.shown(folder)
        write(report, design, title or folder.resolve().name, folder / NAME)
    except Exception:
        return False
    return True


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
