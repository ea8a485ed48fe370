# SPDX-License-Identifier: BSD-3-Clause
"""Write the reference of the Python API into a page: ``python -m bonn_hw.api.page docs/api.md``."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

from bonn_hw.api.build import Build
from bonn_hw.api.check import Check
from bonn_hw.api.exporting import export
from bonn_hw.api.layers import Layer
from bonn_hw.api.model import Model
from bonn_hw.api.search import Searched, search
from bonn_hw.api.simulation import Simulation
from bonn_hw.marked_page import rewritten

BEGIN = "<!-- reference: written by python -m bonn_hw.api.page docs/api.md -->"
END = "<!-- end of reference -->"
SECTIONS = ("Parameters", "Attributes", "Returns", "Raises")


def documented(page: str) -> str:
    """Write the reference into a page of the docs, between its marks.

    Raises
    ------
    ValueError
        If the page lacks a mark.
    """
    return rewritten(page, BEGIN, reference(), END)


def reference() -> Iterator[str]:
    """The lines of the reference: functions, then classes with their members."""
    yield from _function("bonn_hw", export, "##")
    yield from _function("bonn_hw", search, "##")
    for kind in (Model, Check, Build, Layer, Simulation, Searched):
        yield from _class(kind)


def _class(kind: type) -> Iterator[str]:
    yield from (f"## {kind.__name__}", "", *_text(kind.__doc__ or ""), "")
    for name, member in vars(kind).items():
        if name == "__init__" and member.__doc__:
            yield from _function("bonn_hw", member, "###", called=kind.__name__)
        elif name.startswith("_"):
            continue
        elif isinstance(member, property):
            yield from (f"### {kind.__name__}.{name}", "", *_text(member.__doc__ or ""), "")
        elif isinstance(member, classmethod | FunctionType):
            yield from _function(kind.__name__, getattr(kind, name), "###")


def _function(owner: str, function: Any, level: str, called: str | None = None) -> Iterator[str]:
    name = called or function.__name__
    parameters = [
        one.replace(annotation=inspect.Parameter.empty)
        for one in inspect.signature(function).parameters.values()
        if one.name != "self"
    ]
    signature = inspect.Signature(parameters)
    yield from (f"{level} {owner}.{name}", "")
    yield from ("```text", f"{owner}.{name}{signature}", "```", "")
    yield from (*_text(function.__doc__ or ""), "")


def _text(docstring: str) -> Iterator[str]:
    """A docstring in NumPy's style as Markdown."""
    lines = inspect.cleandoc(docstring).split("\n")
    inside, place = "", 0
    while place < len(lines):
        line = lines[place]
        underlined = place + 1 < len(lines) and set(lines[place + 1]) == {"-"}
        if underlined and line in SECTIONS:
            inside, place = line, place + 2
            yield from (f"{line}:", "")
            continue
        if inside and line and not line.startswith(" "):
            line = f"* `{line.replace('``', '')}`"
        elif inside and line:
            line = f"  {line.strip()}"
        yield re.sub(r"``([^`]+)``", r"`\1`", line)
        place += 1


if __name__ == "__main__":
    for name in sys.argv[1:]:
        page = Path(name)
        page.write_text(documented(page.read_text()))
