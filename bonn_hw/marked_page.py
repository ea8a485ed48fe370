# SPDX-License-Identifier: BSD-3-Clause
"""Pages of the docs of which a part, between two marks, is written by a program."""

from __future__ import annotations

from collections.abc import Iterable


def rewritten(page: str, begin: str, lines: Iterable[str], end: str) -> str:
    """The page with other lines between its marks, which stay.

    Raises
    ------
    ValueError
        If the page lacks a mark.
    """
    before, first, rest = page.partition(begin)
    _, last, after = rest.partition(end)
    if not first or not last:
        raise ValueError(f"the page lacks one of the marks {begin!r} and {end!r}")
    return "\n".join((before + begin, "", *lines, end)) + after
