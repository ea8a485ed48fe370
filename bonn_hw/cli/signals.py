# SPDX-License-Identifier: BSD-3-Clause
"""SIGTERM ends a command as Ctrl-C does: children are ended, partial files are removed."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from bonn_hw.cli.exit_codes import TERMINATED


class Terminated(SystemExit):
    """SIGTERM arrived. A SystemExit, which libraries let pass."""

    def __init__(self) -> None:
        super().__init__(TERMINATED)


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Raise `Terminated` in this process at SIGTERM; put back what was there before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = os.getpid()

    def end(number: int, frame: FrameType | None) -> None:
        if os.getpid() == ours:
            raise Terminated
        signal.signal(number, signal.SIG_DFL)  # a forked worker ends as it would without us
        os.kill(os.getpid(), number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
