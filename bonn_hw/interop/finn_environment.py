# SPDX-License-Identifier: BSD-3-Clause
"""FINN in an environment of its own (``make finn-env``): where it is, and how scripts run there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from bonn_hw.errors import ToolMissing, UserError
from bonn_hw.files import shipped

VARIABLE, FOLDER = "BONN_HW_FINN", ".venv-finn"
LAST = 15  # lines of what a script said before it failed


def python() -> Path:
    """The interpreter of that environment.

    Raises
    ------
    ToolMissing
        If there is none in the folder that BONN_HW_FINN names, the current one or the checkout.
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


def run(script: str, *arguments: str | Path, progress: Callable[[str], None]) -> None:
    """Run a script of ``flows/scripts/finn`` there; lines that it prints tell how far it is.

    Raises
    ------
    ToolMissing
        If there is no such environment.
    UserError
        If the script fails, with the last that it said.
    """
    command = [python(), shipped("flows", "scripts", "finn") / script, *arguments]
    said: list[str] = []
    with subprocess.Popen(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                said = [*said, line.rstrip()][-LAST:]
                progress(said[-1])
        except KeyboardInterrupt:
            process.kill()
            raise
    if process.returncode:
        told = "\n".join(said)
        raise UserError(f"FINN's environment: {script} ended with {process.returncode}:\n{told}")
