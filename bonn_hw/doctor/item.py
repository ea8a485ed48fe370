# SPDX-License-Identifier: BSD-3-Clause
"""One line of the doctor's answer."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class State(enum.StrEnum):
    """Whether a thing is usable; WRONG: it is there, and does not work as it is."""

    OK = "ok"
    MISSING = "missing"
    WRONG = "wrong"


@dataclass(frozen=True)
class Item:
    """A thing that bonn-hw uses.

    Attributes
    ----------
    name : str
        Its name, such as ``Verilator``.
    state : State
        Whether it is usable.
    found : str
        What was found: its version and its place; empty if nothing was.
    needed_for : str
        What does not work without it; ``base`` for what every command needs.
    remedy : str
        How to get it; empty if it is there.
    """

    name: str
    state: State
    found: str
    needed_for: str
    remedy: str = ""

    @property
    def base(self) -> bool:
        """Whether check, fold, compile and simulate need it."""
        return self.needed_for == BASE

    def __str__(self) -> str:
        """One line, such as ``missing  pyosys  for synth: pip install 'bonn-hw[synth]'``."""
        if self.state is State.OK:
            return f"{self.state:7}  {self.name:21}  {self.found}"
        what = f"{self.found}; " if self.found else ""
        return f"{self.state:7}  {self.name:21}  {what}for {self.needed_for}: {self.remedy}"


BASE = "base"
