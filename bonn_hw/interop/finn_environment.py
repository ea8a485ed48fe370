# SPDX-License-Identifier: BSD-3-Clause
"""FINN's environment (``bonn-hw setup finn``): finding it and running scripts in it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from bonn_hw import cache, tools
from bonn_hw.errors import ToolMissing, UserError
from bonn_hw.files import shipped
from bonn_hw.progress import Progress

VARIABLE, FOLDER = "BONN_HW_FINN", ".venv-finn"
# Of a script, in the output of session.py.
END = "\x04END"


def folder() -> Path:
    """The folder in which ``bonn-hw setup finn`` makes it."""
    return cache.folder() / "finn"


def python() -> Path:
    """The Python interpreter of FINN's environment.

    Raises
    ------
    ToolMissing
        If there is none in the folder ``$BONN_HW_FINN``; without that variable, in
        ``.venv-finn`` of the current folder or of the checkout, or in the cache folder.
    """
    named = os.environ.get(VARIABLE)
    scripts = shipped("flows", "scripts", "finn")
    folders = [Path(named)] if named else [Path(FOLDER), scripts.parents[2] / FOLDER, folder()]
    for place in folders:
        if (place / "ready").is_file():
            return (place / "bin" / "python").absolute()
    raise ToolMissing(
        f"FINN's environment is not in {folders[-1]}: run 'bonn-hw setup finn', or name its "
        f"folder in {VARIABLE}"
    )


def identity() -> str:
    """A digest of the interpreter's place and of the scripts, for keys of FINN's results."""
    scripts = sorted(shipped("flows", "scripts", "finn").glob("*.*"))
    parts = [part for path in scripts for part in (path.name, path.read_bytes())]
    return cache.digest(str(python()), *parts)


def run(script: str, *arguments: str | Path, progress: Progress) -> None:
    """Run a script of ``flows/scripts/finn`` there; each line that it prints goes to ``progress``.

    Within `session` all scripts run in one process.

    Raises
    ------
    ToolMissing
        If there is no such environment.
    UserError
        If the script fails, with the end of its output.
    """
    if _sessions:
        _sessions[-1].run(script, arguments, progress)
        return
    with _Session() as own:
        own.run(script, arguments, progress)


@contextmanager
def session() -> Iterator[None]:
    """Run all scripts in one process, which starts with the first: FINN's imports take seconds."""
    with _Session() as own:
        _sessions.append(own)
        try:
            yield
        finally:
            _sessions.remove(own)


class _Session(ExitStack):
    """A process of FINN's environment, which runs scripts one after the other."""

    process: tools.Process | None = None
    command: tuple[Path, ...] = ()

    def run(self, script: str, arguments: Sequence[str | Path], progress: Progress) -> None:
        process = self._running()
        words = [script, *(os.fspath(word) for word in arguments)]
        lines: list[str] = []
        with suppress(BrokenPipeError):
            assert process.stdin is not None  # noqa: S101  # narrows: `started` opens the pipes
            process.stdin.write((json.dumps(words) + "\n").encode())
            process.stdin.flush()
        try:
            for raw in process.stdout or ():
                line = raw.decode(errors="replace").rstrip()
                if line.startswith(END):
                    code = int(line.split()[-1])
                    break
                lines.append(line)
                progress(line)
            else:
                code = process.wait()
                self.command = ()  # the next script starts another process
        except BaseException:
            self.close()  # the script must not go on
            self.command = ()
            raise
        if code:
            last = "\n".join("\n".join(lines).rstrip().splitlines()[-tools.LAST :])
            raise UserError(f"FINN's environment: {script} ended with {code}:\n{last}")

    def _running(self) -> tools.Process:
        """The process; a new one if there is none, or another environment is named now."""
        command = (python(), Path("-Wignore"), shipped("flows", "scripts", "finn") / "session.py")
        if self.process is None or command != self.command:
            self.close()
            self.process = self.enter_context(tools.started(command))
            self.command = command
        return self.process


_sessions: list[_Session] = []
