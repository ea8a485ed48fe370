# SPDX-License-Identifier: BSD-3-Clause
"""Blocks of a page of the documentation, in their order: commands, Python, and what is printed."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from bonn_hw.cli.main import main

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.S | re.M)


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and text of each block of a page."""
    return BLOCK.findall(page.read_text())


@dataclass
class Walk:
    """Runs blocks in the current folder, as a reader does from top to bottom.

    Attributes
    ----------
    names
        The variables of the Python blocks.
    printed
        What the last block printed.
    ran
        The command lines so far; a line is not run twice.
    """

    names: dict[str, object] = field(default_factory=dict)
    printed: str = ""
    ran: list[str] = field(default_factory=list)

    def python(self, text: str) -> None:
        """Run a block; one that begins with ``# name.py`` is a file, and is imported or run."""
        if match := re.match(r"# (\w+\.py)\n", text):
            Path(match[1]).write_text(text)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(text, "block", "exec"), self.names)
        self.printed = said.getvalue()

    def commands(self, text: str, elsewhere: re.Pattern[str], codes: tuple[int, ...] = (0,)):
        """Run the lines that call bonn-hw, but those that other tests run."""
        said = io.StringIO()
        for line in text.splitlines():
            line = " ".join(line.split("#")[0].split())
            if not line.startswith("bonn-hw ") or elsewhere.search(line) or line in self.ran:
                continue
            self.ran.append(line)
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                code = main(shlex.split(line)[1:])
            assert code in codes, (line, code, said.getvalue()[-2000:])
        self.printed = said.getvalue()

    def shown(self, text: str) -> list[str]:
        """Lines of a block of output that the last block did not print, whatever the numbers."""
        printed = {_unnumbered(line) for line in self.printed.splitlines()}
        return [
            line
            for line in text.splitlines()
            if not any(_unnumbered(line) in one for one in printed)
        ]


def _unnumbered(line: str) -> str:
    return re.sub(r"\d[\d,.:]*", "N", " ".join(line.split()))
