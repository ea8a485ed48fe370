# SPDX-License-Identifier: BSD-3-Clause
"""A plugin of pytest that judges mutants in forked processes: ``pytest -p tests.mutation.judging``.

Python, third-party packages and tests are loaded once. Each mutant gets a fork of this process, in
which the functions of the mutated file have the mutated code, and which runs the tests that call
the mutated function, fast ones first, until one fails. What runs while a module is imported, and
what is no Python, cannot be exchanged like this: such a file is changed on the disk, and new
processes (of pytest or of the tools) read it.

`by_tests` starts it, in a copy of the repository with a cache of its own.
"""

from __future__ import annotations

import functools
import gc
import json
import math
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from hypothesis import Phase, settings

from tests.mutation.swap import UNSWAPPABLE, exchange, exchanged
from tests.mutation.trace import Ending, Trace, Traces, run_until_failure

ORDERS, ANSWERS = "BONN_HW_MUTANTS", "BONN_HW_MUTATION_ANSWERS"
WALL = 600  # seconds until a mutant is given up, however loaded the machine is
# A mutant's processor time, as a multiple of what its tests take otherwise, and in seconds more.
TIMES, MORE = 5, 15


class Judge:
    """The plugin, with the orders of `by_tests`."""

    def __init__(self) -> None:
        orders = json.loads(Path(os.environ[ORDERS]).read_text())
        self.copy, self.mutants = Path.cwd(), orders["mutants"]
        self.budget: float = orders["budget"]
        self.sources = {str(self.copy / file) for file in orders["sources"]}
        self.traces = Traces(Path(orders["traces"]), self.sources)
        self.cache = Path(os.environ["XDG_CACHE_HOME"]) / "bonn_hw"
        # The first example that fails is enough: no time is spent on a smaller one.
        settings.register_profile("mutants", settings(), phases=(Phase.explicit, Phase.generate))
        settings.load_profile("mutants")
        self.traces.begin()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of running the tests: run them once for what they call, then judge."""
        items = {item.nodeid: item for item in session.items}
        self.traces.end()
        unknown = [item for item in session.items if not self.traces.knows(item)]
        if unknown and (ending := self._forked(lambda: self.traces.take(unknown), math.inf)):
            raise RuntimeError(f"the tests fail without a mutant: {ending}")
        known = self.traces.read(items)
        slow = sorted(items.keys() - known.keys())
        print("too slow, not used:", *slow, sep="\n  ")
        before = self._entries()
        with os.fdopen(int(os.environ[ANSWERS]), "w") as answers:
            for mutant in self.mutants:
                answer, by = self._judge(mutant, items, known)
                for entry in self._entries() - before:
                    subprocess.run(["rm", "-rf", entry], check=True)
                print(json.dumps([answer, by]), file=answers, flush=True)
        return True

    def _entries(self) -> set[Path]:
        return set(self.cache.glob("*/*"))

    def _judge(
        self, mutant: dict[str, Any], items: dict[str, pytest.Item], known: dict[str, Trace]
    ) -> Ending:
        place = self.copy / mutant["file"]
        python = place.suffix == ".py"
        ours = place.read_text()
        code = exchanged(ours, mutant["text"], str(place)) if python else UNSWAPPABLE
        firsts = {old.co_firstlineno for old, new in code or () if old != new}
        if any((str(place), first) in self.traces.imported for first in firsts):
            code = UNSWAPPABLE
        if not python:
            chosen = list(known)
        elif code is UNSWAPPABLE:
            chosen = [name for name, trace in known.items() if str(place) in trace.calls]
        else:
            chosen = [name for name, trace in known.items() if trace.runs(str(place), firsts)]
        if not chosen:
            return "survived", "no test runs it"
        chosen, seconds = self._within_budget(chosen, known)
        if isinstance(code, list):
            run = functools.partial(self._swapped, str(place), code, [items[n] for n in chosen])
            ending = self._forked(run, seconds)
        else:
            place.write_text(mutant["text"])
            try:
                if python:
                    ending = self._forked(lambda: _anew(chosen), seconds + 10)
                else:
                    run = functools.partial(self._swapped, "", [], [items[n] for n in chosen])
                    ending = self._forked(run, seconds + 60)
            finally:
                place.write_text(ours)
        return ending or ("survived", f"{len(chosen)} tests")

    def _within_budget(
        self, chosen: Iterable[str], known: dict[str, Trace]
    ) -> tuple[list[str], float]:
        """Tests in their order, as many as the budget of seconds allows, and their seconds."""

        def order(name: str) -> tuple[int, str, float]:
            # Tests of a file follow each other: what they share is made once.
            seconds = known[name].seconds
            step = 0 if seconds < 0.1 else 1 if seconds < 1 else 2 if seconds < 5 else 3
            return step, name.partition("::")[0], seconds

        found, total = [], 0.0
        for name in sorted(chosen, key=order):
            if not found or total + known[name].seconds <= self.budget:
                found.append(name)
                total += known[name].seconds
        return found, total

    @staticmethod
    def _swapped(
        file: str, code: list[tuple[CodeType, CodeType]], items: list[pytest.Item]
    ) -> Ending | None:
        exchange(file, code)
        for wrapper in gc.get_objects():
            if isinstance(wrapper, functools._lru_cache_wrapper) and wrapper.__module__.startswith(
                ("bonn_hw", "tests")
            ):
                wrapper.cache_clear()
        return run_until_failure(items)

    def _forked(self, run: Callable[[], Ending | None], seconds: float) -> Ending | None:
        """Call a function in a fork; its answer, or what ended it."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            os.setpgid(0, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            if math.isfinite(seconds):
                signal.alarm(WALL)
                limit = int(TIMES * seconds + MORE)
                resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
            try:
                answer = run()
            except BaseException as error:
                answer = ("killed", f"{type(error).__name__}: {error}"[:200])
            os.write(writing, json.dumps(answer).encode())
            os._exit(0)
        os.close(writing)
        _, status = os.waitpid(child, 0)
        with suppress(ProcessLookupError):  # what the tests left running
            os.killpg(child, signal.SIGKILL)
        with os.fdopen(reading) as pipe:
            text = pipe.read()
        if text:
            told = json.loads(text)
            return (told[0], told[1]) if told else None
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
            return "late", f"no end after {WALL} s"
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL):
            return "killed", f"no end after {TIMES} times the processor time"
        return "killed", f"the process ended with {status}"


def _anew(names: Collection[str]) -> Ending | None:
    """Tests in a new process of pytest, which imports the mutated file."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider"]
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([*command, *names], capture_output=True, text=True, env=env)
    if done.returncode == 0:
        return None
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    told = failed[0].split(" - ")[0].split(" ", 1)[1] if failed else done.stdout[-200:]
    return "killed", told


def pytest_configure(config: pytest.Config) -> None:
    """Where orders are given, judge them."""
    if ORDERS in os.environ:
        config.pluginmanager.register(Judge(), "mutation")
