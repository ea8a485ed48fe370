# SPDX-License-Identifier: BSD-3-Clause
"""Tables that fit the terminal: names stay whole, and nothing in a cell is read as markup."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

UNKNOWN = "–"
LONGEST = 30  # characters of a name that may be folded


@dataclass(frozen=True)
class Column:
    """A column; its heading may have line breaks.

    Attributes
    ----------
    left : bool
        Align left, for words; numbers are aligned right.
    folds : bool
        Cells longer than `LONGEST` are wrapped; cells of other columns never are.
    """

    heading: str
    cells: Sequence[str]
    left: bool = False
    folds: bool = False

    @property
    def known(self) -> bool:
        """Whether any cell has a value."""
        return any(cell not in ("", UNKNOWN) for cell in self.cells)

    @property
    def width(self) -> int:
        """Characters of its longest line."""
        longest = max((cell_len(plain(cell)) for cell in self.cells), default=0)
        heading = max(map(cell_len, self.heading.split("\n")))
        return max(heading, min(longest, LONGEST) if self.folds else longest)


Block = tuple[Column, ...]
"""Columns that stay in the same table."""


def words(text: str, style: str = "") -> Text:
    """A text that is printed as it is: no markup, no emoji, no control characters."""
    return Text(plain(text), style=style)


def plain(text: str) -> str:
    """Replace control characters by their escapes, such as ``\\x1b``."""
    return "".join(one if one.isprintable() or one == "\n" else repr(one)[1:-1] for one in text)


def grid(title: str, names: Column, blocks: Sequence[Block], console: Console) -> Group:
    """A table; blocks that do not fit in the width go into further tables below.

    Parameters
    ----------
    names : Column
        The first column of each of the tables.
    blocks : sequence
        The other columns. Columns without any value are left out.
    """
    known = [tuple(one for one in block if one.known) for block in blocks]
    parts: list[RenderableType] = [words(title, "bold")]
    for columns in _rows_of_blocks(names, [block for block in known if block], console.width):
        parts += [_table((names, *columns)), Text()]
    return Group(*parts)


def _rows_of_blocks(names: Column, blocks: Sequence[Block], width: int) -> Iterator[list[Column]]:
    here: list[Column] = []
    used = names.width
    for block in blocks:
        needed = sum(2 + one.width for one in block)
        if here and used + needed > width:
            yield here
            here, used = [], names.width
        here += block
        used += needed
    yield here


def _table(columns: Sequence[Column]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 0, 0, 1))
    for one in columns:
        table.add_column(
            words(one.heading),
            justify="left" if one.left else "right",
            overflow="fold",
            no_wrap=not one.folds,
            max_width=LONGEST if one.folds else None,
        )
    for cells in zip(*(one.cells for one in columns), strict=True):
        table.add_row(*map(words, cells))
    return table
