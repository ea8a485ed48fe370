# SPDX-License-Identifier: BSD-3-Clause
"""Foldings that a user fixes, from a JSON file: ``{"mvu_0": {"PE": 16, "SIMD": 3}, ...}``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bonn_hw.errors import UserError
from bonn_hw.ir.design import Folding


def read_foldings(path: Path) -> dict[str, Folding]:
    """Read a folding file; which layers exist and what is legal is checked against the graph.

    A layer that has the same lanes on both sides may be given by ``SIMD`` alone.

    Raises
    ------
    UserError
        If the file cannot be read or is not of that form.
    """
    try:
        document = json.loads(path.read_text())
    except OSError as error:
        raise UserError(f"folding file {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"folding file {path} is not JSON: {error}") from error
    form = 'write {"mvu_0": {"PE": 16, "SIMD": 3}, ...}'
    if not isinstance(document, dict):
        raise UserError(f"folding file {path} holds no object: {form}")
    foldings = {}
    for name, entry in document.items():
        if not isinstance(entry, dict) or not {"SIMD"} <= entry.keys() <= {"PE", "SIMD"}:
            raise UserError(f"folding file {path}: {name} has {entry!r}: {form}")
        simd: Any = entry["SIMD"]
        pe: Any = entry.get("PE", simd)
        if not all(type(value) is int and value > 0 for value in (pe, simd)):  # bool is no int here
            raise UserError(
                f"folding file {path}: {name} has {entry!r}: PE and SIMD are positive integers"
            )
        foldings[name] = Folding(pe, simd)
    return foldings
