# SPDX-License-Identifier: BSD-3-Clause
"""Progress of a long step: it calls a function with one line of text.

A text such as ``RTL, frame 120 of 364`` says how far the step is; `Pace` computes the time that is
left from it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

Progress = Callable[[str], None]

HOW_FAR = re.compile(r"(\d[\d,]*) of (\d[\d,]*)")


def silent(text: str) -> None:
    """A Progress that shows nothing."""


class Pace:
    """The current step of a command, the time since its start, and the time that is left.

    Parameters
    ----------
    what : str
        The command.
    now : function
        A clock in seconds.
    """

    def __init__(self, what: str, now: Callable[[], float] = time.monotonic) -> None:
        self.what = what
        self._now = now
        self._begin = now()
        self._text = ""
        self._phase, self._since, self._first = "", self._begin, 0
        self._far: tuple[int, int] | None = None

    def step(self, text: str) -> None:
        """Note the current step; a step whose text differs in its numbers only goes on."""
        found = HOW_FAR.search(text)
        phase = text if found is None else text[: found.start()]
        far = None if found is None else tuple(int(one.replace(",", "")) for one in found.groups())
        self._far = None if far is None else (far[0], far[1])
        if phase != self._phase:
            self._phase, self._since = phase, self._now()
            self._first = 0 if self._far is None else self._far[0]
        self._text = text

    def line(self) -> str:
        """``simulate: RTL, frame 120 of 364 (1:05, 2:10 left)``."""
        left = self.left()
        times = clock(self._now() - self._begin) + ("" if left is None else f", {clock(left)} left")
        return f"{self.what}{': ' if self._text else ''}{self._text} ({times})"

    def left(self) -> float | None:
        """Seconds that the current step will take, if it says how far it is; else None."""
        if self._far is None or self._far[0] <= self._first:
            return None
        done, total = self._far
        return (self._now() - self._since) / (done - self._first) * max(0, total - done)


def clock(seconds: float) -> str:
    """A duration as ``0:07``, ``12:34`` or ``1:02:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
