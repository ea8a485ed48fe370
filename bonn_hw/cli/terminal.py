# SPDX-License-Identifier: BSD-3-Clause
"""The output of a command: results on stdout, progress and errors on stderr.

rich is imported when there is something to print, so that ``--help`` need not wait for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from bonn_hw.console import discard, make_console, progress_line
from bonn_hw.progress import silent

if TYPE_CHECKING:
    from rich.console import Console

STDOUT = Path("-")  # what ``--json -`` names


class Terminal:
    """The two streams of a command.

    Attributes
    ----------
    quiet : bool
        Print only errors, and the report if ``--json`` is given.
    json : Path or None
        File for the report as JSON, in addition to the tables; `STDOUT`: print JSON, no tables.
    """

    def __init__(self, quiet: bool = False, json: Path | None = None) -> None:
        self.quiet = quiet
        self.json = json

    @contextmanager
    def progress(self, command: str) -> Iterator[Callable[[str], None]]:
        """Yield a function that shows the current step, with its time; see `progress_line`."""
        if self.quiet:
            yield silent
            return
        with progress_line(sys.stderr, command) as step:
            yield step

    def note(self, text: str) -> None:
        """Print a note on stderr, unless quiet."""
        if not self.quiet:
            self.error(text)

    def error(self, text: str) -> None:
        """Print an error on stderr."""
        _write(sys.stderr, f"{text}\n")

    def result(self, text: str) -> None:
        """Print a line of the result on stdout."""
        if not self.quiet:
            _write(sys.stdout, f"{text}\n")

    def report(self, document: Any, show: Callable[[Console], None]) -> None:
        """Print a report: as JSON if that was asked for, and as tables.

        Parameters
        ----------
        document
            The report, of types that `json.dumps` accepts.
        show
            Prints the tables on a console.
        """
        import json

        self.report_text(json.dumps(document, indent=2) + "\n", show)

    def report_text(self, text: str, show: Callable[[Console], None]) -> None:
        """Print a report whose JSON is given as text."""
        if self._json_only(text):
            return
        if not self.quiet:
            try:
                show(make_console(sys.stdout))
            except BrokenPipeError:  # rich before 13.8 does not call on_broken_pipe
                discard(sys.stdout)

    def report_lines(self, document: Any, lines: Sequence[str]) -> None:
        """Print a report: as JSON if that was asked for, and as lines; without rich."""
        import json

        if not self._json_only(json.dumps(document, indent=2) + "\n"):
            self.result("\n".join(lines))

    def _json_only(self, text: str) -> bool:
        """Write the JSON where it was asked for; whether nothing else is to be printed."""
        if self.json == STDOUT:
            _write(sys.stdout, text)
            return True
        if self.json is not None:
            from bonn_hw import files

            with files.fresh_file(self.json) as partial:
                partial.write_text(text)
        return False


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        discard(stream)
