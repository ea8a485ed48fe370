# SPDX-License-Identifier: BSD-3-Clause
"""Mutants of C++: one operator, constant or condition of a file is changed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.mutation.rtl import Mutant, blank, by_patterns

# Operators with a space on both sides: templates, pointers, references and streams have none.
OPERATORS = (
    (r" && ", " || "),
    (r" \|\| ", " && "),
    (r" == ", " != "),
    (r" != ", " == "),
    (r" < ", " <= "),
    (r" <= ", " < "),
    (r" > ", " >= "),
    (r" >= ", " > "),
    (r" \+ ", " - "),
    (r" - ", " + "),
    (r" \* ", " + "),
    (r" / ", " * "),
    (r" % ", " * "),
    (r" \+= ", " -= "),
    (r" -= ", " += "),
    (r" & ", " | "),
    (r" \| ", " & "),
    (r" \^ ", " & "),
    (r" >> ", " << "),
    (r"(?<![\w!])!(?=[a-z(])", ""),
    (r"\btrue\b", "false"),
    (r"\bfalse\b", "true"),
    (r"(?<= )0(?=[;,)])", "1"),
    (r"(?<= )1(?=[;,)])", "2"),
    (r"\bcontinue;", "break;"),
)
SKIPPED = re.compile(r"^\s*(?:#|//|using |template|static_assert)")


def _quiet(text: str) -> str:
    """The text with comments and strings blanked, of the same length."""
    return re.sub(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"", blank, text, flags=re.S)


def mutants(file: str, text: str) -> Iterator[Mutant]:
    """All mutants of a file, in the order of their places."""
    yield from by_patterns(file, text, _quiet(text), OPERATORS, SKIPPED)
