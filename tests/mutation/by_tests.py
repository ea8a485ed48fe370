# SPDX-License-Identifier: BSD-3-Clause
"""Judge mutants by tests, in a copy of the repository: one pytest, a fork for each mutant."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bonn_hw import cache
from tests.mutation import judging
from tests.mutation.areas import ROOT, Area
from tests.mutation.rtl import Mutant

COPIED = ("bonn_hw", "tests", "hw_templates", "pyproject.toml")
LINKED = ("zoo", "flows", "docs", "README.md", "CHANGELOG.md", "LICENSE", "Makefile", "benchmarks")
BUDGET = 12.0  # processor seconds of tests for a mutant, those that are run anyway included
TRACES = ROOT / "build" / "mutation" / "traces"


def judge(
    mutants: Sequence[Mutant], area: Area, tests: Sequence[str] = (), budget: float = BUDGET
) -> Iterator[tuple[Mutant, str, str]]:
    """Each mutant with "killed", "survived", "late" or "stillborn", and by which test.

    Parameters
    ----------
    tests : sequence of str
        Arguments of pytest, in place of the area's own.
    budget : float
        Processor seconds that a mutant's tests may take without it.

    The tests must pass without a mutant; RuntimeError otherwise.
    """
    with TemporaryDirectory() as name:
        copy = Path(name)
        for part in COPIED:
            place = ROOT / part
            shutil.copytree(place, copy / part) if place.is_dir() else shutil.copy(place, copy)
        for part in LINKED:
            if (ROOT / part).exists():
                (copy / part).symlink_to(ROOT / part)
        orders = [{"file": in_repository(m), "line": m.line, "text": m.text} for m in mutants]
        python = [str(p.relative_to(ROOT)) for p in area.paths() if p.suffix == ".py"]
        (copy / "orders.json").write_text(json.dumps(
            {"mutants": orders, "sources": python, "traces": str(TRACES), "budget": budget}
        ))  # fmt: skip
        _own_cache(copy / "cache")
        reading, writing = os.pipe()
        env = {
            **os.environ,
            "PYTHONPATH": str(copy),
            "XDG_CACHE_HOME": str(copy / "cache"),
            judging.ORDERS: str(copy / "orders.json"),
            judging.ANSWERS: str(writing),
        }
        command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.mutation.judging"]
        command += ["-p", "no:cacheprovider", f"--basetemp={copy / 'tmp'}", *(tests or area.tests)]
        with (copy / "log").open("w+") as log, os.fdopen(reading) as answers:
            process = subprocess.Popen(
                command, cwd=copy, env=env, stdout=log, stderr=log, pass_fds=(writing,)
            )
            os.close(writing)
            for mutant, line in zip(mutants, answers, strict=False):
                yield mutant, *json.loads(line)
            if process.wait() not in (0, 5):
                log.seek(0)
                raise RuntimeError(log.read()[-3000:])


def in_repository(mutant: Mutant) -> str:
    """The mutated file, relative to the repository."""
    return f"hw_templates/{mutant.file}" if mutant.file.endswith(".sv") else mutant.file


def _own_cache(place: Path) -> None:
    """A cache in which a mutant's results harm nobody: at first with what is in ours."""
    ours, own = cache.folder(), place / "bonn_hw"
    own.mkdir(parents=True)
    for kind in ours.iterdir() if ours.exists() else ():
        if kind.name in cache.LIMITS:
            for entry in filter(Path.is_dir, kind.glob("[!.]*")):
                shutil.copytree(entry, own / kind.name / entry.name, copy_function=_linked)
        elif kind.is_dir() and kind.name not in ("logs", cache.UNFINISHED):
            (own / kind.name).symlink_to(kind)


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
