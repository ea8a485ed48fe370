# SPDX-License-Identifier: BSD-3-Clause
"""The files that the package brings along."""

from __future__ import annotations

from pathlib import Path


def shipped(*parts: str) -> Path:
    """A folder of the package's files: in the package, or next to it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    inside = package.joinpath(*parts)
    return inside if inside.is_dir() else package.parent.joinpath(*parts)
