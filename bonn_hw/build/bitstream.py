# SPDX-License-Identifier: BSD-3-Clause
"""Build -> bitstream and the folder that is copied to the board.

``system`` in the build's folder holds the RTL with the shell, the plan and what comes of it;
``board`` holds the driver, its metadata and, once there is one, the bitstream.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bonn_hw.artifacts import MARK, fresh_folder
from bonn_hw.build import open_zynq, vivado, vivado_plan
from bonn_hw.build.pack import pack
from bonn_hw.build.work import Progress, Result
from bonn_hw.emit.system import emit_system
from bonn_hw.emit.write import write
from bonn_hw.errors import ToolMissing
from bonn_hw.frontend import Host
from bonn_hw.ir.design import FoldedDesign

SYSTEM, BOARD = "system", "board"
NAME = "accelerator"
TOOLS = ("vivado", "open")


def make(
    folder: Path,
    design: FoldedDesign,
    host: Host,
    facts: Mapping[str, Any],
    board: str,
    clock_mhz: float,
    tool: str,
    progress: Progress = lambda text: None,
) -> dict[str, Any]:
    """Make the bitstream of a build.

    Parameters
    ----------
    folder : Path
        Of the build.
    facts : mapping
        The build's report.
    tool : str
        One of `TOOLS`.

    Returns
    -------
    dict
        What goes into the report: ``resources.*.implemented``, ``timing``.

    Raises
    ------
    ToolMissing
        If the tool is not here: the plan is written all the same, and the board's folder unless it
        has a bitstream.
    UserError
        As `vivado.make_bitstream` and `open_zynq.make_bitstream`; the last good bitstream stays.
    """
    system, target = folder / SYSTEM, folder / BOARD
    progress("shell")
    write_system(design, system, clock_mhz)
    facts = {**facts, "target": {**facts["target"], "board": board, "clock_mhz": clock_mhz}}
    try:
        made = _run(tool, system, board, clock_mhz, progress)
    except ToolMissing:
        if not (target / f"{NAME}.bit").is_file():
            pack(design, host, facts, target, NAME)
        raise
    pack(design, host, merged(facts, made.figures), target, NAME, made.folder, made.address)
    return made.figures


def _run(tool: str, system: Path, board: str, clock_mhz: float, progress: Progress) -> Result:
    if tool == "open":
        planned = open_zynq.plan(system, board, clock_mhz, NAME)
        return open_zynq.make_bitstream(planned, system, progress)
    progress("Vivado")
    built = vivado.make_bitstream(
        vivado_plan.plan(system, board, clock_mhz, NAME), system, progress
    )
    return Result(built.folder, built.figures)


def write_system(design: FoldedDesign, system: Path, clock_mhz: float) -> None:
    """Write the accelerator with its shell to ``rtl`` in a folder; nothing half of it."""
    with fresh_folder(system / "rtl") as fresh:
        project = emit_system(design, clock_mhz)
        write(project, fresh)
        (fresh / MARK).write_text(json.dumps({"top": project.top}) + "\n")


def merged(facts: Mapping[str, Any], figures: Mapping[str, Any]) -> dict[str, Any]:
    """The report with what was implemented."""
    resources = {
        name: {**amounts, **figures["resources"].get(name, {})}
        for name, amounts in facts["resources"].items()
    }
    tools = {**facts["tools"], "bitstream": figures["tool"]}
    told = {name: figures[name] for name in ("timing", "seconds") if name in figures}
    return {**facts, "resources": resources, "tools": tools, **told}
