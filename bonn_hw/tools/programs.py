# SPDX-License-Identifier: BSD-3-Clause
"""Find a program, run it to its end or beside this process, on several threads if need be."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bonn_hw.errors import ToolMissing, UserError
from bonn_hw.progress import Progress, silent
from bonn_hw.tools.processes import PATIENCE_S, Group, OfBytes, Process, end
from bonn_hw.tools.signals import Signals

LAST = 15  # lines of a program's output in a message
STOPPED = (-signal.SIGKILL, -signal.SIGTERM)
OF_A_PART = "Killed signal terminated program"  # GCC's word, whose own exit code is 1

Word = str | os.PathLike[str]
_of_thread = threading.local()


def find(name: str, remedy: str, folders: Sequence[Path] = ()) -> Path:
    """The path of a program on PATH or in ``folders``; raises ToolMissing with the remedy."""
    path = shutil.which(name)
    for folder in folders:
        path = path or shutil.which(name, path=str(folder))
    if path is None:
        raise ToolMissing(f"the program {name!r} is not on PATH: {remedy}")
    return Path(path)


@dataclass(frozen=True)
class Ended:
    """A program that has ended.

    Attributes
    ----------
    program : str
        Its file name.
    code : int
        Exit code; negative: minus the number of the signal that ended it.
    output : str
        Everything that it wrote to standard output and standard error, in order.
    log : Path or None
        The file with the same output.
    """

    program: str
    code: int
    output: str
    log: Path | None

    @property
    def last(self) -> str:
        """The last lines of the output."""
        return "\n".join(self.output.rstrip().splitlines()[-LAST:])

    @property
    def failure(self) -> str:
        """Text for an error message: the exit code, the last lines and the log file."""
        ended = f"signal {-self.code}" if self.code < 0 else f"exit code {self.code}"
        log = f"; see {self.log}" if self.log else ""
        return f"{self.program} failed ({ended}){log}:\n{self.last or 'no output'}"

    def error(self, text: str) -> Exception:
        """What to raise for a program that should not fail: a bug, with ``text``.

        It is the user's matter if something outside stopped the program.
        """
        if self.code in STOPPED or OF_A_PART in self.output:
            return UserError(
                f"{self.program} was stopped from outside, as where memory runs out: free some, "
                "and run the command again"
            )
        return RuntimeError(text)


def run(
    command: Sequence[Word],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    on_line: Progress = silent,
    given: str = "",
    timeout_s: float | None = None,
    patience_s: float = PATIENCE_S,
) -> Ended:
    """Run a program to its end.

    Parameters
    ----------
    log : Path or None
        File for its output.
    on_line : Progress
        Called with every line of the output.
    given : str
        Its standard input.

    Raises
    ------
    ToolMissing
        If the program is not installed.
    UserError
        If it must not be executed, or has not ended after ``timeout_s``.
    """
    lines: list[str] = []
    late = threading.Event()
    with _started(command, patience_s, cwd, env, text=True) as process:

        def expire() -> None:
            late.set()
            end(process, patience_s)

        timer = threading.Timer(timeout_s, expire) if timeout_s else None
        if timer is not None:
            timer.start()
        stream = log.open("w", buffering=1, encoding="utf-8") if log else None
        try:
            _write_input(process, given)
            for line in process.stdout or ():
                lines.append(line)
                if stream is not None:
                    stream.write(line)
                on_line(line.rstrip("\n"))
            code = process.wait()
        finally:
            if timer is not None:
                timer.cancel()
            if stream is not None:
                stream.close()
    name = Path(command[0]).name
    if late.is_set():
        raise UserError(f"{name} has not ended after {timeout_s:g} s: check its installation")
    return Ended(name, code, "".join(lines), log)


@contextmanager
def started(
    command: Sequence[Word], *, cwd: Path | None = None, patience_s: float = PATIENCE_S
) -> Iterator[OfBytes]:
    """Start a program with pipes to its three streams; it ends with the ``with`` block.

    Raises the same errors as `run`.
    """
    with _started(command, patience_s, cwd, None, text=False) as process:
        yield process


@contextmanager
def _started(
    command: Sequence[Word],
    patience_s: float,
    cwd: Path | None,
    env: Mapping[str, str] | None,
    text: bool,
) -> Iterator[Process]:
    group = getattr(_of_thread, "group", None) or Group()
    process: Process | None = None
    try:
        with Signals.waiting():
            process = group.start([os.fspath(word) for word in command], cwd, env, text)
        yield process
    finally:
        if process is not None:
            end(process, patience_s)
            group.forget(process)
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    with suppress(BrokenPipeError):
                        pipe.close()


def _write_input(process: Process, text: str) -> None:
    if process.stdin is not None:
        with suppress(BrokenPipeError):
            process.stdin.write(text)
            process.stdin.close()


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


@contextmanager
def threads(count: int | None) -> Iterator[ThreadPoolExecutor]:
    """A pool of threads for `run`; an exception ends their programs and is raised at once."""
    group = Group()

    def join() -> None:
        _of_thread.group = group

    with ThreadPoolExecutor(count, initializer=join) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            group.close()
            raise
