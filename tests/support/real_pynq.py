# SPDX-License-Identifier: BSD-3-Clause
"""The real pynq, and files that Vivado wrote for its boards, where they are (`make pynq-env`)."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.environment import absent

VARIABLE = "BONN_HW_PYNQ"
VERSIONS = ("3.0.1", "3.1.2", "4.0.0")
DESIGNS = {"3.0.1": "2022.1", "3.1.2": "2024.1"}  # whose boards/ has files, of which Vivado


def folder() -> Path:
    """The folder; without it the test is skipped, and in CI it fails."""
    place = Path(os.environ.get(VARIABLE) or Path(__file__).parents[2] / ".venv-pynq")
    if not (place / "ready").is_file():
        absent("the real pynq ('make pynq-env')")
    return place


def path(version: str) -> str:
    """PYTHONPATH for a version."""
    return os.pathsep.join((str(folder() / version), str(folder() / "lib")))


def design(board: str, suffix: str, version: str = "3.0.1") -> Path:
    """What Vivado wrote for PYNQ's own design of a board."""
    return folder() / "boards" / version / board / "base" / f"base{suffix}"
