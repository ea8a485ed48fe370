# SPDX-License-Identifier: BSD-3-Clause
"""rich's consoles; no other module makes one.

Texts come from users and files (names of layers, paths, messages of other programs) and are printed
as they are: never as markup, emoji or highlights. rich is imported when there is something to
print.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console


def make_console(stream: TextIO, quiet: bool = False) -> Console:
    """A console that prints every text as it is, and is silent after its pipe is closed."""
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            """Go on silently: rich would exit with 1, our exit code for results that differ."""
            self.quiet = True
            discard(stream)

    return Plain(file=stream, quiet=quiet, markup=False, highlight=False, emoji=False)


def discard(stream: TextIO) -> None:
    """Redirect a stream to /dev/null, after its reader has closed the pipe."""
    with suppress(OSError, ValueError):  # a stream of tests has no file descriptor
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
