# SPDX-License-Identifier: BSD-3-Clause
"""Which functions of some files each test calls, and its seconds: kept by the contents of both."""

from __future__ import annotations

import cProfile
import hashlib
import importlib
import json
import math
import re
import resource
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

Calls = dict[str, set[int]]  # the first lines of functions, by file
Ending = tuple[str, str]  # killed, stillborn, survived or late, and by what
TIMES, MORE = 5, 10
SLOW = 6.0  # processor seconds: slower tests are left out
FAILING = 0.1  # part of the tests that may fail without a mutant: they are left out
NEVER = 1e9  # their seconds: beyond every budget
REFUSED = re.compile(r"\.(?:cpp|h|hpp):\d+:\d+: error: |%Error: [^\n]*\.sv:\d+")


@dataclass(frozen=True)
class Trace:
    """What one test calls."""

    seconds: float
    calls: Mapping[str, set[int]]

    def runs(self, file: str, lines: set[int]) -> bool:
        """Whether the test calls one of the functions that begin in these lines."""
        return not lines.isdisjoint(self.calls.get(file, ()))


class Traces:
    """Traces of tests, kept in a folder.

    Parameters
    ----------
    kept : Path
        One file for each file of tests.
    sources : set of str
        The files whose functions count.
    """

    def __init__(self, kept: Path, sources: set[str]) -> None:
        self.kept, self.sources = kept, sources
        self._now: Calls = defaultdict(set)
        self._import_calls: Calls = defaultdict(set)
        self._profile = cProfile.Profile(builtins=False)  # much faster than a hook in Python
        self._digest = hashlib.sha256()
        for source in sorted(sources):
            self._digest.update(Path(source).read_bytes())

    @property
    def imported(self) -> set[tuple[str, int]]:
        """Functions that are called while modules are imported and tests are collected."""
        return {(file, first) for file, calls in self._import_calls.items() for first in calls}

    def begin(self) -> None:
        """Note the functions that are called from now on."""

        def call(frame: FrameType, event: str, _: object) -> None:
            code = frame.f_code
            if code.co_filename in self.sources:
                self._now[code.co_filename].add(code.co_firstlineno)

        threading.settrace(call)
        self._profile.enable()

    def _pause(self) -> None:
        """Add what this thread has called to the calls so far."""
        self._profile.disable()
        for entry in self._profile.getstats():
            if not isinstance(code := entry.code, str) and code.co_filename in self.sources:
                self._now[code.co_filename].add(code.co_firstlineno)
        self._profile.clear()

    def end(self) -> None:
        """Note no more; what ran so far ran while modules were imported."""
        self._pause()
        threading.settrace(None)  # type: ignore[arg-type]
        self._import_calls, self._now = self._now, defaultdict(set)

    def place(self, item: pytest.Item) -> Path:
        """The file with the traces of a test's file."""
        digest = self._digest.copy()
        digest.update(item.path.read_bytes())
        return self.kept / f"{item.path.stem}-{digest.hexdigest()[:16]}.json"

    def knows(self, item: pytest.Item) -> bool:
        """Whether a test was traced before."""
        place = self.place(item)
        return place.exists() and item.nodeid in json.loads(place.read_text())

    def take(self, items: list[pytest.Item]) -> tuple[str, str] | None:
        """Run tests and keep their traces; what fails if more than a few do, or None."""
        self.kept.mkdir(parents=True, exist_ok=True)
        failed: list[str] = []
        root = str(Path.cwd())
        fixtures = _Fixtures(self)
        items[0].config.pluginmanager.register(fixtures, "traced fixtures")
        for item, following in zip(items, [*items[1:], None], strict=True):
            self._now = defaultdict(set)
            self.begin()
            began = time.process_time()
            with _limited(SLOW):
                ending = run_until_failure([item], following=following)
            self._pause()
            seconds = time.process_time() - began + fixtures.made_before(item, began)
            if ending:  # too slow to be run for each mutant, or it fails in a fork
                seconds = NEVER
                failed += [item.nodeid] * (ending[0] != "slow")
                if len(failed) > len(items) * FAILING:
                    return ending
            calls = fixtures.with_shared(item, self._now)
            told = {file.removeprefix(root): sorted(rows) for file, rows in calls.items()}
            place = self.place(item)
            before = json.loads(place.read_text()) if place.exists() else {}
            place.write_text(json.dumps(before | {item.nodeid: [seconds, told]}))
        self._modules.write_text(json.dumps(sorted(sys.modules)))
        return None

    @property
    def _modules(self) -> Path:
        return self.kept / f"modules-{self._digest.hexdigest()[:16]}.json"

    def load(self) -> None:
        """Import the packages of others that the tests have imported: forks need not do it."""
        for name in json.loads(self._modules.read_text()) if self._modules.exists() else ():
            if name not in sys.modules and name.split(".")[0] not in ("bonn_hw", "tests"):
                with suppress(Exception):
                    importlib.import_module(name)

    def read(self, items: Mapping[str, pytest.Item]) -> dict[str, Trace]:
        """The trace of each test that is not too slow."""
        root = str(Path.cwd())
        places = {self.place(item) for item in items.values()}
        return {
            name: Trace(row[0], {root + file: set(rows) for file, rows in row[1].items()})
            for place in places
            for name, row in json.loads(place.read_text()).items()
            if name in items and row[0] < NEVER
        }

    def swap(self, calls: Calls) -> Calls:
        """Note calls elsewhere from now on; where they went before."""
        self._pause()
        self._now, before = calls, self._now
        self._profile.enable()
        return before


class _Fixtures:
    """A fixture that tests share is run by the first of them, and its calls belong to all."""

    def __init__(self, traces: Traces) -> None:
        self.traces = traces
        self.calls: dict[int, Calls] = {}
        self.times: dict[int, tuple[float, float]] = {}  # begin and seconds

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Any:
        own: Calls = defaultdict(set)
        outer = self.traces.swap(own)
        began = time.process_time()
        try:
            return (yield)
        finally:
            self.traces.swap(outer)
            self.times[id(fixturedef)] = began, time.process_time() - began
            self.calls[id(fixturedef)] = own
            _add(outer, [own])

    def with_shared(self, item: pytest.Item, calls: Calls) -> Calls:
        """A test's calls and those of its fixtures."""
        _add(calls, [self.calls.get(fixture, {}) for fixture in self._of(item)])
        return calls

    def made_before(self, item: pytest.Item, when: float) -> float:
        """Seconds of a test's fixtures that an earlier test has made: alone, it makes them."""
        times = [self.times[fixture] for fixture in self._of(item) if fixture in self.times]
        return sum(seconds for began, seconds in times if began < when)

    @staticmethod
    def _of(item: Any) -> list[int]:
        found = item._fixtureinfo.name2fixturedefs.values()
        return [id(one) for definitions in found for one in definitions]


def _add(to: Calls, more: Iterable[Mapping[str, set[int]]]) -> None:
    for calls in more:
        for file, rows in calls.items():
            to[file] |= rows


class _TooSlow(BaseException):
    """Ends a test; no test catches it."""


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise _TooSlow

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def run_until_failure(
    items: Sequence[pytest.Item],
    usual: Mapping[str, float] | None = None,
    following: pytest.Item | None = None,
) -> Ending | None:
    """Run tests; None if all pass, otherwise the first one that fails.

    Parameters
    ----------
    usual : mapping or None
        Processor seconds of each test; one that takes `TIMES` as many, and `MORE`, ends the process
        (SIGXCPU).
    following : pytest.Item or None
        The test that runs next: what it shares with the last one stays.
    """
    for item, after in zip(items, [*items[1:], following], strict=True):
        if usual:
            limit = math.ceil(time.process_time() + TIMES * usual[item.nodeid] + MORE)
            resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
        for report in runtestprotocol(item, log=False, nextitem=after):
            if report.failed:
                if _TooSlow.__name__ in str(report.longrepr):
                    return "slow", item.nodeid
                refused = REFUSED.search(str(report.longrepr))
                return ("stillborn", refused[0]) if refused else ("killed", item.nodeid)
    return None
