# SPDX-License-Identifier: BSD-3-Clause
"""Running programs: find them, read their output line by line, and end them with this process.

Every program has a process group of its own. The whole group is ended when this process is
interrupted, by Ctrl-C or, within `ended_by_signals`, by SIGTERM or a closed terminal. Threads that
run programs come from `threads`: an interrupt ends their programs too, and no new ones start.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar

from bonn_hw.errors import ToolMissing, UserError
from bonn_hw.progress import Progress, silent

PATIENCE_S = 10.0  # from SIGTERM to SIGKILL
LAST = 15  # lines of a program's output in a message
ENDING = (signal.SIGTERM, signal.SIGHUP)

Word = str | os.PathLike[str]
Process = subprocess.Popen[Any]


class Terminated(SystemExit):
    """A signal asked this process to end. It is a SystemExit, which libraries do not catch.

    Attributes
    ----------
    status : int
        The exit code: 128 plus the signal's number, as in shells.
    name : str
        The signal's name.
    """

    def __init__(self, number: int = signal.SIGTERM) -> None:
        self.status, self.name = 128 + number, signal.Signals(number).name
        super().__init__(self.status)


class _Signals:
    """State of the signal handlers: while a program is being started, signals are deferred."""

    starting = False
    deferred: ClassVar[list[int]] = []

    @classmethod
    def take(cls, number: int) -> None:
        """Raise the exception for a signal, at once or when the program has started."""
        if cls.starting:
            cls.deferred.append(number)
            return
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        for other in ENDING:  # do not interrupt the cleaning up
            signal.signal(other, signal.SIG_IGN)
        raise Terminated(number)

    @classmethod
    @contextmanager
    def waiting(cls) -> Iterator[None]:
        """Defer signals; only in the main thread, which handles them."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        cls.starting = True
        try:
            yield
        finally:
            cls.starting = False
            if cls.deferred:
                number = cls.deferred[-1]
                cls.deferred.clear()
                cls.take(number)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into `Terminated`, once; ignored ones (``nohup``) stay ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    ours = os.getpid()

    def handle(number: int, frame: FrameType | None) -> None:
        if os.getpid() == ours:
            _Signals.take(number)
        else:  # a forked worker ends as without this handler
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    handlers = {one: signal.getsignal(one) for one in (signal.SIGINT, *ENDING)}
    before = {one: old for one, old in handlers.items() if old not in (None, signal.SIG_IGN)}
    try:
        for one in before:
            signal.signal(one, handle)
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


# -- finding ---------------------------------------------------------------------------------------


def find(name: str, remedy: str, folders: Sequence[Path] = ()) -> Path:
    """The path of a program on PATH or in ``folders``; raises ToolMissing with the remedy."""
    path = shutil.which(name)
    for folder in folders:
        path = path or shutil.which(name, path=str(folder))
    if path is None:
        raise ToolMissing(f"the program {name!r} is not on PATH: {remedy}")
    return Path(path)


# -- running ---------------------------------------------------------------------------------------


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
) -> Iterator[subprocess.Popen[bytes]]:
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
    group = getattr(_of_thread, "group", None) or _Group()
    process: Process | None = None
    try:
        with _Signals.waiting():
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


def end(process: Process, patience_s: float = PATIENCE_S) -> None:
    """End a program and its process group: with SIGTERM, and with SIGKILL after ``patience_s``.

    The program is reaped only after its group has ended: until then, no other process can get its
    process ID.
    """
    if process.returncode is not None:
        return
    if not _over(process):
        try:
            if patience_s > 0:
                _signal(process, signal.SIGTERM)
                deadline = time.monotonic() + patience_s
                while not _over(process) and time.monotonic() < deadline:
                    time.sleep(0.01)
        finally:  # also after a second Ctrl-C
            _signal(process, signal.SIGKILL)
    process.wait()


def _over(process: Process) -> bool:
    """Whether it has ended, without reaping it."""
    try:
        state = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # another thread has reaped it
        return True
    return state is not None


def _signal(process: Process, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


# -- threads that run programs ---------------------------------------------------------------------

_of_thread = threading.local()


class _Group:
    """The running programs of some threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[Process] = set()
        self._closed = False

    def start(
        self, words: list[str], cwd: Path | None, env: Mapping[str, str] | None, text: bool
    ) -> Process:
        with self._lock:
            if self._closed:
                raise KeyboardInterrupt
            process = _start(words, cwd, env, text)
            self._running.add(process)
            return process

    def forget(self, process: Process) -> None:
        with self._lock:
            self._running.discard(process)

    def close(self) -> None:
        """End all programs and start no more."""
        with self._lock:
            self._closed = True
            running = tuple(self._running)
        for process in running:
            _signal(process, signal.SIGKILL)


def _start(
    words: list[str], cwd: Path | None, env: Mapping[str, str] | None, text: bool
) -> Process:
    try:
        return subprocess.Popen(
            words,
            cwd=cwd,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if text else subprocess.PIPE,
            encoding="utf-8" if text else None,
            errors="replace" if text else None,
            process_group=0,
        )
    except FileNotFoundError as error:
        if cwd is not None and not cwd.is_dir():
            raise
        raise ToolMissing(
            f"the program {words[0]!r} cannot be started: there is no such file, or the "
            "interpreter that it names is missing; install it again"
        ) from error
    except PermissionError as error:
        raise UserError(
            f"{words[0]} cannot be executed ({error.strerror}): check its permissions"
        ) from error


@contextmanager
def threads(count: int | None) -> Iterator[ThreadPoolExecutor]:
    """A pool of threads for `run`; an exception ends their programs and is raised at once."""
    group = _Group()

    def join() -> None:
        _of_thread.group = group

    with ThreadPoolExecutor(count, initializer=join) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            group.close()
            raise
