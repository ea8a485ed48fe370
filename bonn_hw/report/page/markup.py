# SPDX-License-Identifier: BSD-3-Clause
"""HTML as values: text is escaped when it enters an element, and only elements are not."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from bonn_hw.report.grid import plain

VOID = frozenset({"br", "meta"})  # elements without content


class Markup(str):
    """HTML that is complete: it is not escaped again."""


Content = str | Iterable["Content"] | None  # a Markup, text, several of them, or nothing


def tag(name: str, *contents: Content, **attributes: str | float | bool | None) -> Markup:
    """An element.

    Parameters
    ----------
    contents
        Text, elements, sequences of both; None is nothing.
    attributes
        ``class_`` becomes ``class`` and ``aria_label`` ``aria-label``; None and False are left out.
    """
    words = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        written = key.rstrip("_").replace("_", "-")
        number = f"{value:g}" if isinstance(value, float) else str(value)
        words.append(written if value is True else f'{written}="{escape(plain(number))}"')
    opening = f"<{' '.join(words)}>"
    return Markup(opening if name in VOID else f"{opening}{joined(*contents)}</{name}>")


def joined(*contents: Content) -> Markup:
    """Several contents behind one another."""
    return Markup("".join(_text(one) for one in contents))


def raw(text: str) -> Markup:
    """A text of this package itself, such as the style sheet, as HTML."""
    return Markup(text)


def _text(content: Content) -> str:
    if content is None:
        return ""
    if isinstance(content, Markup):
        return content
    if isinstance(content, str):
        # A lone surrogate, as a broken name may hold, has no UTF-8.
        return escape(plain(content).encode("utf-8", "backslashreplace").decode())
    return "".join(_text(one) for one in content)
