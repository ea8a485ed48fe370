# SPDX-License-Identifier: BSD-3-Clause
"""Signals that end this process become exceptions, but not while a program is being started."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import ClassVar

ENDING = (signal.SIGTERM, signal.SIGHUP)


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


class Signals:
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
            Signals.take(number)
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
