# SPDX-License-Identifier: BSD-3-Clause
"""The table of operators: one file per operator, with its entries in ``OPERATORS``.

A file holds the operator's attributes, its checks and its lowering. The supported set in error
messages and the table in docs/models.md are generated from the entries
(``python -m bonn_hw.frontend.operators docs/models.md``).
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from bonn_hw.frontend.operator import Kind, Operator
from bonn_hw.marked_page import rewritten

BEGIN = "<!-- operators: written by python -m bonn_hw.frontend.operators docs/models.md -->"
END = "<!-- end of operators -->"


@cache
def operators() -> tuple[Operator, ...]:
    """All entries, sorted by kind and file."""
    entries: list[Operator] = []
    for module in iter_modules(__path__):
        if not module.name.startswith("_"):
            entries += import_module(f"{__name__}.{module.name}").OPERATORS
    return tuple(sorted(entries, key=lambda operator: operator.kind))


@cache
def table() -> dict[str, Operator]:
    """Entries by ONNX name."""
    by_name: dict[str, Operator] = {}
    for operator in operators():
        for name in operator.names:
            if name in by_name:
                raise ValueError(f"two files of frontend/operators claim {name}")
            by_name[name] = operator
    return by_name


def kind_of(name: str) -> Kind | None:
    """Kind of an operator; None if it is not in the table."""
    return table()[name].kind if name in table() else None


@cache
def supported() -> str:
    """The supported layers, for error messages."""
    layers = [
        name
        for operator in operators()
        if operator.kind in (Kind.MATRIX, Kind.LAYER)
        for name in operator.names
    ]
    joins = [
        f"{name} of two branches"
        for operator in operators()
        if operator.kind is Kind.JOIN
        for name in operator.names
    ]
    return f"{', '.join(layers + joins)}, and elementwise operators between them"


def documented(page: str) -> str:
    """Write the table into a page of the docs, between its markers.

    Raises
    ------
    ValueError
        If the page lacks a marker.
    """
    rows = [
        f"| {', '.join(f'`{name}`' for name in operator.names)} | {operator.text} |"
        for operator in operators()
        if not operator.internal
    ]
    lines = ("| operators | what is supported |", "|---|---|", *rows, "")
    return rewritten(page, BEGIN, lines, END)
