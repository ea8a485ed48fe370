# SPDX-License-Identifier: BSD-3-Clause
"""What each step of a command takes of the processor."""

from __future__ import annotations

import resource
from dataclasses import dataclass, field

BOTH = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


@dataclass
class Laps:
    """A progress that keeps the seconds of the processor of each step.

    Those of a child process count when it ends: steps within one program belong together.

    Attributes
    ----------
    steps : dict
        The name of a step, without what follows a colon -> its seconds.
    """

    steps: dict[str, float] = field(default_factory=dict)
    _now: tuple[str, float] | None = None

    def __call__(self, step: str) -> None:
        """End the last step, and begin one."""
        self.end()
        self._now = step.partition(":")[0], cpu_seconds()
        print(f"  {step}", flush=True)

    def end(self) -> None:
        """End the last step."""
        if self._now is not None:
            name, start = self._now
            self.steps[name] = self.steps.get(name, 0.0) + cpu_seconds() - start
        self._now = None

    def of(self, *names: str) -> float:
        """The seconds of all steps whose names begin so."""
        return sum(seconds for step, seconds in self.steps.items() if step.startswith(names))


def cpu_seconds() -> float:
    """Seconds of the processor that this process and its ended children have used."""
    used = [resource.getrusage(who) for who in BOTH]
    return sum(one.ru_utime + one.ru_stime for one in used)


def most_memory_gib() -> float:
    """The most memory that this process or one of its ended children had at a time."""
    return max(resource.getrusage(who).ru_maxrss for who in BOTH) / 2**20
