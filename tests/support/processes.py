# SPDX-License-Identifier: BSD-3-Clause
"""Real processes for tests of what several of them do to each other; forked, so they start fast."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def fork(work: Callable[[], int | None], log: Path | None = None) -> int:
    """Start a process that runs `work`; its exit code is what that returns. Returns its number."""
    sys.stdout.flush()
    sys.stderr.flush()
    number = os.fork()
    if number:
        return number
    code = 1
    try:
        os.setsid()
        signal.alarm(300)  # a test that hangs leaves nothing behind
        if log is not None:
            stream = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
            os.dup2(stream, 1)
            os.dup2(stream, 2)
            sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        code = work() or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def ended(number: int) -> int:
    """Wait for a process; returns its exit code, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


@contextmanager
def holding(work: Callable[[Callable[[], None]], None]) -> Iterator[int]:
    """A process that runs `work` up to its call of ``work``'s argument, and stays there.

    Its number is given; in the end it is killed.
    """
    there, here = os.pipe()

    def hold() -> None:
        os.write(here, b"!")
        while True:
            signal.pause()

    number = fork(lambda: work(hold))
    os.close(here)
    try:
        assert os.read(there, 1) == b"!", "the process ended before it was there"
        yield number
    finally:
        os.close(there)
        kill(number)


def kill(number: int) -> None:
    """Kill a process as ``kill -9`` does, unless it has ended."""
    try:
        os.kill(number, signal.SIGKILL)
        os.waitpid(number, 0)
    except (ProcessLookupError, ChildProcessError):
        pass


def gone(number: int, seconds: float = 10) -> bool:
    """Whether a process that need not be ours has ended, or does within some seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False
