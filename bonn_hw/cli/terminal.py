# SPDX-License-Identifier: BSD-3-Clause
"""What a command says, and where: results on stdout, progress and errors on stderr.

The one place where rich's consoles are made. Texts come from users and files (names of layers,
paths, messages of other programs) and are printed as they are: never markup, emoji or highlights.
rich is imported when there is something to show, so that ``--help`` need not wait for it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

STDOUT = Path("-")  # what ``--json -`` names


def make_console(stream: TextIO, quiet: bool = False) -> Console:
    """A console that prints every text as it is, and goes quiet when its reader is gone."""
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            """rich would exit with 1, which says that results differ."""
            self.quiet = True
            discard(stream)

    return Plain(file=stream, quiet=quiet, markup=False, highlight=False, emoji=False)


def discard(stream: TextIO) -> None:
    """Send what is still written to a stream to nowhere, after its reader is gone."""
    with suppress(OSError, ValueError):  # a stream of tests has no file below it
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


class Terminal:
    """The two streams of a command.

    Attributes
    ----------
    quiet : bool
        Nothing is said but errors, and results that a file or ``--json -`` was asked for.
    json : Path or None
        Where the report goes as JSON besides the tables; `STDOUT`: there, and no tables.
    """

    def __init__(self, quiet: bool = False, json: Path | None = None) -> None:
        self.quiet = quiet
        self.json = json

    @property
    def notes(self) -> Console:
        """The console of stderr: progress."""
        return make_console(sys.stderr, self.quiet)

    @contextmanager
    def progress(self, command: str) -> Iterator[Callable[[str], None]]:
        """Give a function that shows what a command is at; nothing off a terminal."""
        if self.quiet or not sys.stderr.isatty():
            yield lambda text: None
            return
        from rich.text import Text

        with self.notes.status(Text("")) as status:  # a Text, since a str would be read as markup
            yield lambda text: status.update(Text(f"{command}: {text}"))

    def note(self, text: str) -> None:
        """Say something on stderr that is no error."""
        if not self.quiet:
            self.error(text)

    def error(self, text: str) -> None:
        """Say something on stderr."""
        _write(sys.stderr, f"{text}\n")

    def result(self, text: str) -> None:
        """Print a line of the result on stdout."""
        if not self.quiet:
            _write(sys.stdout, f"{text}\n")

    def report(self, document: Any, show: Callable[[Console], None]) -> None:
        """Give a report: as JSON where that was asked for, and as tables.

        Parameters
        ----------
        document
            What JSON can hold.
        show
            Prints the tables on a console.
        """
        import json

        self.report_text(json.dumps(document, indent=2) + "\n", show)

    def report_text(self, text: str, show: Callable[[Console], None]) -> None:
        """Give a report whose JSON is written already."""
        if self.json == STDOUT:
            _write(sys.stdout, text)
            return
        if self.json is not None:
            from bonn_hw import files

            with files.fresh_file(self.json) as partial:
                partial.write_text(text)
        if not self.quiet:
            try:
                show(make_console(sys.stdout))
            except BrokenPipeError:  # of a rich before 13.8, whose consoles cannot be told
                discard(sys.stdout)


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        discard(stream)
