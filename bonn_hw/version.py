# SPDX-License-Identifier: BSD-3-Clause
"""The version: the release, and the commit where there is one. Found when it is asked for."""

from __future__ import annotations

import subprocess
from importlib import metadata
from pathlib import Path

RELEASE = "0.1.0"


def found(root: Path) -> str:
    """The version of what stands in ``root``: a checkout, an unpacked archive, or site-packages.

    A checkout's version ends with its commit (``0.1.0+g62768ac``, ``...dirty`` with changes), and
    so does the one of a wheel that was built in a checkout.
    """
    if (root / "pyproject.toml").is_file():
        return RELEASE + _commit(root)
    try:
        return metadata.version("bonn-hw")
    except metadata.PackageNotFoundError:  # copied by hand
        return RELEASE


def _commit(root: Path) -> str:
    if not (root / ".git").exists():  # an archive of the sources
        return ""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty=.dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return f"+g{done.stdout.strip()}" if done.returncode == 0 else ""


VERSION = found(Path(__file__).resolve().parent.parent)
