# SPDX-License-Identifier: BSD-3-Clause
"""Judge mutants by tests, in a copy of the repository: pytest until the first failure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutation.areas import ROOT
from tests.mutation.rtl import Mutant

COPIED = ("bonn_hw", "tests", "hw_templates", "pyproject.toml")
LINKED = ("zoo", "flows", "docs", "README.md", "CHANGELOG.md", "LICENSE", "Makefile", "benchmarks")
SECONDS = 300


def judge(mutants: Sequence[Mutant], tests: Sequence[str]) -> Iterator[tuple[Mutant, str, str]]:
    """Each mutant with "killed", "survived" or "late", and by which test.

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
        if (first := _run(copy, tests))[0] != "survived":
            raise RuntimeError(f"the tests fail without a mutant: {first[1]}")
        for mutant in mutants:
            folder = "hw_templates" if mutant.file.endswith(".sv") else "."
            place = copy / folder / mutant.file
            ours = place.read_text()
            place.write_text(mutant.text)
            yield mutant, *_run(copy, tests)
            place.write_text(ours)


def _run(copy: Path, tests: Sequence[str]) -> tuple[str, str]:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider"]
    env = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [*command, *tests], cwd=copy, capture_output=True, text=True, timeout=SECONDS, env=env
        )
    except subprocess.TimeoutExpired:
        return "late", f"no end after {SECONDS} s"
    if done.returncode == 0:
        return "survived", " ".join(tests)
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    told = failed[0].split(" - ")[0].split(" ", 1)[1] if failed else done.stdout[-200:]
    return "killed", told
