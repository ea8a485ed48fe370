# SPDX-License-Identifier: BSD-3-Clause
"""Tables for notebooks: what the command line prints, as HTML."""

from __future__ import annotations

import io
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 110  # characters of a table in a notebook


def text_of(show: Callable[[Console], None], width: int = WIDTH) -> str:
    """What a function prints on a console, as plain text."""
    from bonn_hw.console import make_console

    stream = io.StringIO()
    console = make_console(stream)
    console.width = width
    show(console)
    return stream.getvalue()


def html_of(text: str) -> str:
    """A text with its columns, as HTML."""
    return f'<pre style="white-space: pre; line-height: 1.2">{escape(text)}</pre>'
