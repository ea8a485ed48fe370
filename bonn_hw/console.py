# SPDX-License-Identifier: BSD-3-Clause
"""rich's consoles; no other module makes one.

Texts come from users and files (names of layers, paths, messages of other programs) and are printed
as they are: never as markup, emoji or highlights. rich is imported when there is something to
print.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

from bonn_hw.progress import Pace, Progress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

EVERY = 60.0  # seconds between two lines of progress, where there is no terminal


def make_console(stream: TextIO, quiet: bool = False) -> Console:
    """A console that prints every text as it is, and is silent after its pipe is closed."""
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            """Go on silently: rich would exit with 1, our exit code for results that differ."""
            self.quiet = True
            discard(stream)

    return Plain(file=stream, quiet=quiet, markup=False, highlight=False, emoji=False)


@contextmanager
def progress_line(stream: TextIO, what: str) -> Iterator[Progress]:
    """Yield a function that shows the current step of a command, with its time and what is left.

    On a terminal, a line that is drawn again and again; elsewhere, a line each minute.
    """
    pace = Pace(what)
    if not stream.isatty():
        with _each_minute(stream, pace):
            yield pace.step
        return

    class Line:
        def __rich__(self) -> Text:
            from rich.text import Text

            return Text(pace.line())  # not a str, which would be read as markup

    with make_console(stream).status(Line()):
        yield pace.step


@contextmanager
def _each_minute(stream: TextIO, pace: Pace) -> Iterator[None]:
    """A thread writes, so that a step that says nothing for long is seen, too."""
    done = threading.Event()

    def write() -> None:
        while not done.wait(EVERY):
            with suppress(OSError, ValueError):  # its reader is gone
                stream.write(f"{pace.line()}\n")
                stream.flush()

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def discard(stream: TextIO) -> None:
    """Redirect a stream to /dev/null, after its reader has closed the pipe."""
    with suppress(OSError, ValueError):  # a stream of tests has no file descriptor
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
