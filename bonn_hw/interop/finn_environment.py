# SPDX-License-Identifier: BSD-3-Clause
"""FINN's own virtual environment (``make finn-env``): finding it and running scripts in it."""

from __future__ import annotations

import os
from pathlib import Path

from bonn_hw import tools
from bonn_hw.errors import ToolMissing, UserError
from bonn_hw.files import shipped
from bonn_hw.progress import Progress

VARIABLE, FOLDER = "BONN_HW_FINN", ".venv-finn"


def python() -> Path:
    """The Python interpreter of FINN's environment.

    Raises
    ------
    ToolMissing
        If there is none in the folder ``$BONN_HW_FINN``; without that variable, in
        ``.venv-finn`` of the current folder or of the checkout.
    """
    named = os.environ.get(VARIABLE)
    scripts = shipped("flows", "scripts", "finn")
    folders = [Path(named)] if named else [Path(FOLDER), scripts.parents[2] / FOLDER]
    for folder in folders:
        if (folder / "ready").is_file():
            return (folder / "bin" / "python").absolute()
    raise ToolMissing(
        f"FINN's environment is not in {folders[-1]}: run 'make finn-env', or name its folder in "
        f"{VARIABLE}"
    )


def run(script: str, *arguments: str | Path, progress: Progress) -> None:
    """Run a script of ``flows/scripts/finn`` there; each line that it prints goes to ``progress``.

    Raises
    ------
    ToolMissing
        If there is no such environment.
    UserError
        If the script fails, with the end of its output.
    """
    command = [python(), shipped("flows", "scripts", "finn") / script, *arguments]
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}
    done = tools.run(command, env=environment, on_line=lambda line: progress(line.rstrip()))
    if done.code:
        raise UserError(f"FINN's environment: {script} ended with {done.code}:\n{done.last}")
