# SPDX-License-Identifier: BSD-3-Clause
"""Read and write reports as JSON files; no other module does that.

A report without the key ``schema`` is read as version 1.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from bonn_hw import files
from bonn_hw.errors import UserError
from bonn_hw.report.codec import Fault, decode, encode
from bonn_hw.report.values import SCHEMA, Front, Report

NAME = "report.json"
REMEDY = "make the build again with 'bonn-hw compile' or 'bonn-hw fold'"
V = TypeVar("V")


def to_json(value: Any) -> str:
    """The JSON text of a report or another dataclass."""
    return json.dumps(encode(value), indent=2) + "\n"


def from_json(kind: type[V], text: str) -> V:
    """The inverse of `to_json`; raises Fault if the text is something else."""
    return decode(kind, _tree(text))


def save(value: Any, path: Path) -> None:
    """Write a report atomically."""
    with files.fresh_file(path) as partial:
        partial.write_text(to_json(value))


def load(kind: type[V], path: Path, remedy: str = REMEDY) -> V:
    """Read a file of `save`; raises UserError, with the remedy, if it cannot be read."""
    return _read(path, remedy, lambda tree: decode(kind, tree))


def load_any(path: Path) -> Report | Front:
    """Read the report of a design or of a Pareto front; raises UserError."""

    def either(tree: Any) -> Report | Front:
        return decode(Front, tree) if "front" in tree else decode(Report, tree)

    return _read(path, REMEDY, either)


def load_build(folder: Path) -> Report | Front:
    """Read the report of a folder that `compile` or `fold` made; raises UserError."""
    path = folder / NAME
    if not path.is_file():
        raise UserError(f"{folder} is not a build: it has no {NAME}")
    return load_any(path)


def _read(path: Path, remedy: str, decoded: Callable[[Any], V]) -> V:
    try:
        return decoded(_tree(path.read_text()))
    except OSError as error:
        raise UserError(f"report {path} cannot be read: {error.strerror}; {remedy}") from error
    except ValueError as error:
        raise UserError(f"report {path} cannot be read: {error}; {remedy}") from error


def _tree(text: str) -> dict[str, Any]:
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Fault(f"it is not JSON ({error})") from error
    if not isinstance(tree, dict):
        raise Fault("it holds no object")
    version = tree.get("schema", SCHEMA)
    if version != SCHEMA:
        raise Fault(f"its schema is {version!r}, and this bonn-hw reads {SCHEMA}")
    return tree
