# SPDX-License-Identifier: BSD-3-Clause
"""Mutants of SystemVerilog: one operator, constant, condition or reset of a file is changed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One changed place of a file.

    Attributes
    ----------
    file : str
        The file, relative to the folder that the mutator was given.
    change : str
        What stood there and what stands there now.
    text : str
        The whole file with the change.
    scope : str
        The part with the change that a result is about: it holds while this part stays as it is.
        Nothing: the whole file.
    """

    file: str
    line: int
    change: str
    text: str
    scope: str = ""

    @property
    def name(self) -> str:
        """A name that stays the same while the file does."""
        return f"{self.file}:{self.line}: {self.change}"


# Pattern and replacement; the pattern's lookarounds keep assignments (<=) and shifts apart.
OPERATORS = (
    (r"&&", "||"),
    (r"\|\|", "&&"),
    (r"==(?!=)(?<!!==)", "!="),
    (r"!=(?!=)", "=="),
    (r" < ", " <= "),
    (r" > ", " >= "),
    (r" >= ", " > "),
    (r" \+ 1'b1", " - 1'b1"),
    (r" \+ 1\b(?!')", " + 2"),
    (r" - 1\b(?!')", " - 2"),
    (r"(?<= <= )'0", "'1"),
    (r"1'b0(?=;)", "1'b1"),
    (r"1'b1(?=;)", "1'b0"),
    (r"(?<![!=<>&|^~])!(?=[a-z(])", ""),
    (r"\bif \(step\)", "if (1'b1)"),
    (r"\bif \(take\)", "if (1'b1)"),
    (r"\bif \(ce\)", "if (1'b1)"),
    (r"\bif \(rst\) [\w{}, ]+ <= [^;]+;(\s*else )?", ""),
    (r" & ", " | "),
    (r" \| ", " & "),
    (r" \^ ", " & "),
    (r"\.step\(([\w &!|]+)\)", ".step(1'b1)"),
)
# What is no logic: checks of parameters, messages, attributes.
SKIPPED = re.compile(r"\$error|\$fatal|\$fopen|\(\*|^\s*//|gen_illegal|^\s*parameter ")


def blank(found: re.Match[str]) -> str:
    """Spaces in the place of a match; its lines stay."""
    return re.sub(r"[^\n]", " ", found[0])


def _quiet(text: str) -> str:
    """The text with comments, strings and checks of parameters blanked, of the same length."""
    text = re.sub(r"//[^\n]*|\"[^\"\n]*\"", blank, text)
    text = re.sub(r"`ifndef SYNTHESIS.*?`endif|`ifdef VERILATOR.*?`else", blank, text, flags=re.S)
    # From `if (` to the `end` of a block that only says that a parameter is illegal.
    return re.sub(r"^ *if \((?:(?!\bbegin\b).)*?begin : gen_illegal\w*\n.*?^ *end\n", blank, text,
                  flags=re.S | re.M)  # fmt: skip


def mutants(file: str, text: str) -> Iterator[Mutant]:
    """All mutants of a file, in the order of their places."""
    quiet = _quiet(text)
    ports = quiet.index(");\n")
    yield from by_patterns(file, text, quiet, OPERATORS, SKIPPED, ports)


def by_patterns(
    file: str,
    text: str,
    quiet: str,
    operators: Sequence[tuple[str, str]],
    skipped: re.Pattern[str],
    start: int = 0,
) -> Iterator[Mutant]:
    """Mutants by patterns and replacements; ``quiet`` is the text without what is no code."""
    found = [
        (match.start(), match.end(), match.expand(new) if "\\" in new else new)
        for pattern, new in operators
        for match in re.finditer(pattern, quiet)
        if match.start() > start
    ]
    lines = text.splitlines()
    for begin, end, new in sorted(found):
        line = text.count("\n", 0, begin) + 1
        if skipped.search(lines[line - 1]):
            continue
        column = begin - text.rfind("\n", 0, begin)
        change = f"{column}: {text[begin:end].strip()!r} to {new.strip()!r}"
        yield Mutant(file, line, change, text[:begin] + new + text[end:])
