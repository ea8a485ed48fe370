# SPDX-License-Identifier: BSD-3-Clause
"""RtlProject -> a folder that simulators and synthesis tools can read directly."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from bonn_hw.files import shipped
from bonn_hw.ir.rtl import RtlProject


def templates_folder() -> Path:
    """The folder of the SystemVerilog sources."""
    return shipped("hw_templates")


def write(project: RtlProject, folder: Path, templates: Path | None = None) -> None:
    """Write generated files and copy the templates that the design uses."""
    for name, text in project.files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    copy(project.templates, folder, templates)


def copy(names: Iterable[str], folder: Path, templates: Path | None = None) -> None:
    """Copy templates, with the folders that they are in."""
    for name in names:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile((templates or templates_folder()) / name, target)
