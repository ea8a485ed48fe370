# SPDX-License-Identifier: BSD-3-Clause
"""A plugin of pytest that judges mutants in forked processes: ``pytest -p tests.mutation.judging``.

Python, third-party packages and tests are loaded once. Each mutant gets a fork of this process, in
which the functions of the mutated file have the mutated code, and which runs the tests that call
the mutated function, fast ones first, until one fails. What runs while a module is imported, and
what is no Python, cannot be exchanged like this: new processes (of pytest or of the tools) read the
file, which is mutated on the disk as long as the tests run.

`by_tests` starts it, in a copy of the repository with a cache of its own.
"""

from __future__ import annotations

import functools
import gc
import importlib
import json
import math
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from hypothesis import Phase, settings

from tests.mutation.swap import UNSWAPPABLE, exchange, exchanged, functions
from tests.mutation.trace import TIMES, Ending, Trace, Traces, run_until_failure

ORDERS, ANSWERS = "BONN_HW_MUTANTS", "BONN_HW_MUTATION_ANSWERS"
WALL = 900  # seconds until a mutant is given up, however loaded the machine is
OTHERS = {"rtl": 1.0, "finn": 5.0}  # processor seconds of tools that a test of this mark starts
IMPORTS = 20  # processor seconds at most for a new process of pytest, beside its tests


class Judge:
    """The plugin, with the orders of `by_tests`."""

    def __init__(self) -> None:
        orders = json.loads(Path(os.environ[ORDERS]).read_text())
        self.copy, self.mutants = Path.cwd(), orders["mutants"]
        self.budget: float = orders["budget"]
        self.sources = {str(self.copy / file) for file in orders["sources"]}
        self.of_finn: set[str] = set()  # files that only a process of FINN's environment reads
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
        self._import_sources()
        self.traces.end()
        unknown = [item for item in session.items if not self.traces.knows(item)]
        if unknown and (ending := self._forked(lambda: self.traces.take(unknown), wall=0)):
            raise RuntimeError(f"the tests fail without a mutant: {ending}")
        self.traces.load()
        known = self.traces.read(items)
        left = sorted(items.keys() - known.keys())
        print("not used, too slow or no test for a fork:", *left, sep="\n  ", flush=True)
        self.functions = functions(self.sources)
        kept = [one for one in gc.get_objects() if isinstance(one, functools._lru_cache_wrapper)]
        self.kept = [one for one in kept if one.__module__.startswith(("bonn_hw", "tests"))]
        gc.collect()
        gc.freeze()  # the forks share this memory as long as they leave it alone
        before = self._entries()
        with os.fdopen(int(os.environ[ANSWERS]), "w") as answers:
            for mutant in self.mutants:
                answer, by = self._judge(mutant, items, known)
                for entry in self._entries() - before:
                    subprocess.run(["rm", "-rf", entry], check=True)
                print(json.dumps([answer, by]), file=answers, flush=True)
        return True

    def _import_sources(self) -> None:
        """Import all files of the area: a fork that imports one itself would read it unmutated."""
        for source in sorted(map(Path, self.sources)):
            if source.stem != "__main__":
                parts = source.relative_to(self.copy).with_suffix("").parts
                try:
                    importlib.import_module(".".join(parts).removesuffix(".__init__"))
                except ModuleNotFoundError as error:
                    if error.name != "finn":
                        raise
                    self.of_finn.add(str(source))

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
        there = {function.__code__.co_filename for function in self.functions}
        if str(place) not in there or any(
            (str(place), first) in self.traces.imported for first in firsts
        ):
            code = UNSWAPPABLE
        if not python:
            chosen = list(known)
        elif str(place) in self.of_finn:
            chosen = [name for name in known if items[name].get_closest_marker("finn")]
        elif code is UNSWAPPABLE:
            chosen = [name for name, trace in known.items() if str(place) in trace.calls]
            chosen = chosen or list(known)  # nothing but values
        else:
            chosen = [name for name, trace in known.items() if trace.runs(str(place), firsts)]
        if not chosen:
            return "survived", "no test runs it"
        usual = self._within_budget(chosen, known, items)
        tests = [items[name] for name in usual]
        run = functools.partial(self._swapped, code or [], tests, usual)
        if python and code is UNSWAPPABLE:
            run = functools.partial(_anew, usual)
        place.write_text(mutant["text"])  # for processes that tests start, and keys of the cache
        try:
            ending = self._forked(run)
        finally:
            place.write_text(ours)
        return ending or ("survived", f"{len(tests)} tests")

    def _within_budget(
        self, chosen: Iterable[str], known: dict[str, Trace], items: Mapping[str, pytest.Item]
    ) -> dict[str, float]:
        """Tests in their order, as many as the budget of seconds allows, with their seconds."""

        def needed(name: str) -> float:
            # The seconds of other processes are not in a trace.
            tools = [
                OTHERS[mark.name] for mark in items[name].iter_markers() if mark.name in OTHERS
            ]
            return max([known[name].seconds, *tools])

        def order(name: str) -> tuple[int, str, float]:
            # Tests of a file follow each other: what they share is made once.
            seconds = needed(name)
            step = 0 if seconds < 0.1 else 1 if seconds < 1 else 2 if seconds < 5 else 3
            return step, name.partition("::")[0], seconds

        found: dict[str, float] = {}
        for name in sorted(chosen, key=order):
            seconds = needed(name)
            if not found or sum(found.values()) + seconds <= self.budget:
                found[name] = seconds
        return found

    def _swapped(
        self,
        code: list[tuple[CodeType, CodeType]],
        tests: Sequence[pytest.Item],
        usual: Mapping[str, float],
    ) -> Ending | None:
        exchange(self.functions, code)
        for function in self.kept:
            function.cache_clear()
        return run_until_failure(tests, usual)

    @staticmethod
    def _forked(run: Callable[[], Ending | None], wall: int = WALL) -> Ending | None:
        """Call a function in a fork; its answer, or what ended it."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            os.setpgid(0, 0)
            os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # a mutant of the same size and second
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(wall)
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
            return "late", f"no end after {wall} s"
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
            return "killed", f"a test took {TIMES} times its processor time"
        return "killed", f"the process ended with {status}"


def _anew(usual: Mapping[str, float]) -> Ending | None:
    """Tests in a new process of pytest, which imports the mutated file."""
    limit = math.ceil(TIMES * sum(usual.values()) + IMPORTS)

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))

    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, *usual], capture_output=True, text=True, preexec_fn=limited)
    if done.returncode == 0:
        return None
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    told = failed[0].split(" - ")[0].split(" ", 1)[1] if failed else done.stdout[-200:]
    return "killed", told


def pytest_configure(config: pytest.Config) -> None:
    """Where orders are given, judge them."""
    if ORDERS in os.environ:
        config.pluginmanager.register(Judge(), "mutation")
