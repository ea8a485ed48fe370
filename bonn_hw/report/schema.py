# SPDX-License-Identifier: BSD-3-Clause
"""The JSON Schema of reports (draft 2020-12), generated from their types.

``python -m bonn_hw.report.schema`` writes ``report.schema.json``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from bonn_hw.interop.crosscheck_report import Crosscheck
from bonn_hw.report.codec import choices, is_flat, is_record, is_required, keys, parts, record_of
from bonn_hw.report.section_values import Implemented, Simulations, Synthesised
from bonn_hw.report.values import Front, Report

FILE = Path(__file__).with_name("report.schema.json")
DOCUMENTS = (Report, Front, Simulations, Synthesised, Implemented, Crosscheck)
PLAIN = {int: "integer", float: "number", str: "string", bool: "boolean", NoneType: "null"}


def schema(*documents: Any) -> dict[str, Any]:
    """The schema of a file that contains one of some dataclasses."""
    definitions: dict[str, Any] = {}
    forms = [_of(kind, definitions) for kind in documents]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Reports of bonn-hw",
        "oneOf": forms,
        "$defs": dict(sorted(definitions.items())),
    }


def text() -> str:
    """The contents of `FILE`."""
    return json.dumps(schema(*DOCUMENTS), indent=1) + "\n"


def _of(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    options = choices(kind)
    if len(options) > 1:
        if all(option in PLAIN for option in options):
            return {"type": [PLAIN[option] for option in options]}
        return {"anyOf": [_of(option, definitions) for option in options]}
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"enum": list(arguments)}
    if is_record(kind):
        name = _name(kind)
        if name not in definitions:
            definitions[name] = {}  # a placeholder, for recursive types
            definitions[name] = _record(kind, definitions)
        return {"$ref": f"#/$defs/{name}"}
    if origin is tuple and arguments[-1] is ...:
        return {"type": "array", "items": _of(arguments[0], definitions)}
    if origin is tuple:
        items = [_of(its, definitions) for its in arguments]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "items": False}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _of(arguments[1], definitions)}
    return {"type": PLAIN[kind]}


def _record(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    together: dict[str, list[str]] = {}
    for one, its in parts(kind):
        if is_flat(one):
            inner = _record(record_of(its), definitions)
            properties |= inner["properties"]
            if is_required(one):
                required += inner["required"]
            else:
                together |= dict.fromkeys(keys(record_of(its)), inner["required"])
        else:
            version = one.name == "schema"
            properties[one.name] = {"const": one.default} if version else _of(its, definitions)
            if is_required(one) or version:
                required.append(one.name)
    made = {"type": "object", "properties": properties, "required": required}
    if together:
        made["dependentRequired"] = together
    return made | {"additionalProperties": False}


def _name(kind: Any) -> str:
    plain = (get_origin(kind) or kind).__name__
    return "_".join([plain, *(one.__name__ for one in get_args(kind))])


if __name__ == "__main__":
    FILE.write_text(text())
