# SPDX-License-Identifier: BSD-3-Clause
"""Save graphs and designs: JSON for the structure, one NPZ file for the arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_type_hints

import numpy as np

VERSION = 1


def save(value: Any, folder: Path, stem: str) -> None:
    """Write a frozen dataclass as ``stem.json`` and ``stem.npz``."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    tree = _plain(value, arrays)
    (folder / f"{stem}.json").write_text(
        json.dumps({"version": VERSION, "value": tree}, indent=1) + "\n"
    )
    np.savez(folder / f"{stem}.npz", **arrays)  # type: ignore[arg-type]


def load(kind: type[Any], folder: Path, stem: str, variants: Mapping[str, type[Any]]) -> Any:
    """Read what `save` wrote.

    Parameters
    ----------
    variants : mapping
        Concrete classes by the name under which they were saved, for fields that are abstract.
    """
    document = json.loads((folder / f"{stem}.json").read_text())
    if document.get("version") != VERSION:
        raise ValueError(f"{stem}.json has version {document.get('version')}, not {VERSION}")
    with np.load(folder / f"{stem}.npz", allow_pickle=False) as arrays:
        return _revive(document["value"], kind, arrays, variants)


def _plain(value: Any, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    if is_dataclass(value):
        body = {f.name: _plain(getattr(value, f.name), arrays) for f in fields(value)}
        stem = getattr(value, "stem", None)
        return {"stem": stem, **body} if stem else body
    if isinstance(value, np.ndarray):
        name = f"array_{len(arrays)}"
        arrays[name] = value
        return {"array": name}
    if isinstance(value, Mapping):
        return {key: _plain(item, arrays) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item, arrays) for item in value]
    return value


def _revive(tree: Any, kind: Any, arrays: Any, variants: Mapping[str, type[Any]]) -> Any:
    if isinstance(tree, dict) and tree.keys() == {"array"}:
        if arrays[tree["array"]].dtype.kind not in "biuf":
            raise ValueError(f"{tree['array']} does not hold numbers")
        return arrays[tree["array"]]
    if isinstance(tree, dict) and "stem" in tree:
        kind = variants[tree["stem"]]
    if isinstance(kind, UnionType):
        if tree is None:
            return None
        kind = next(one for one in get_args(kind) if one is not type(None))
    if is_dataclass(kind) and isinstance(kind, type):
        # Annotations name Kernel, which this module does not import; the stem says which kernel.
        hints = get_type_hints(kind, localns={"Kernel": Any, **variants})
        body = {
            f.name: _revive(tree[f.name], hints[f.name], arrays, variants) for f in fields(kind)
        }
        return kind(**body)
    arguments = get_args(kind)
    if isinstance(tree, dict):
        inner = arguments[1] if len(arguments) == 2 else Any
        return {key: _revive(item, inner, arrays, variants) for key, item in tree.items()}
    if isinstance(tree, list):
        inner = arguments[0] if arguments else Any
        return tuple(_revive(item, inner, arrays, variants) for item in tree)
    if kind in (int, str, bool, float) and type(tree) is not kind:
        raise ValueError(f"{tree!r} is not of type {kind.__name__}")
    return tree
