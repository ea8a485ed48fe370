# SPDX-License-Identifier: BSD-3-Clause
"""Processes in groups of their own: started, signalled and ended with all that they start."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from bonn_hw.errors import ToolMissing, UserError

PATIENCE_S = 10.0  # from SIGTERM to SIGKILL
Process = subprocess.Popen[Any]
OfBytes = subprocess.Popen[bytes]


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
                signal_group(process, signal.SIGTERM)
                deadline = time.monotonic() + patience_s
                while not _over(process) and time.monotonic() < deadline:
                    time.sleep(0.01)
        finally:  # also after a second Ctrl-C
            signal_group(process, signal.SIGKILL)
    process.wait()


def _over(process: Process) -> bool:
    """Whether it has ended, without reaping it."""
    try:
        state = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # another thread has reaped it
        return True
    return state is not None


def signal_group(process: Process, number: int) -> None:
    """Send a signal to a program and to all that it has started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


class Group:
    """The running programs of some threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[Process] = set()
        self._closed = False

    def start(
        self, words: list[str], cwd: Path | None, env: Mapping[str, str] | None, text: bool
    ) -> Process:
        """Start a program; raises KeyboardInterrupt after `close`."""
        with self._lock:
            if self._closed:
                raise KeyboardInterrupt
            process = _start(words, cwd, env, text)
            self._running.add(process)
            return process

    def forget(self, process: Process) -> None:
        """Leave out a program that has ended."""
        with self._lock:
            self._running.discard(process)

    def close(self) -> None:
        """End all programs and start no more."""
        with self._lock:
            self._closed = True
            running = tuple(self._running)
        for process in running:
            signal_group(process, signal.SIGKILL)


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
