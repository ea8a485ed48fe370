# SPDX-License-Identifier: BSD-3-Clause
"""Yosys for tests. The files that it made of the same files are taken from the cache."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bonn_hw import cache
from bonn_hw.synth.yosys import version

KIND = "tests"
cache.LIMITS.setdefault(KIND, 128)


def run(folder: Path, *script: str) -> subprocess.CompletedProcess[str]:
    """Run Yosys' commands in a folder, whatever comes of it."""
    (folder / "script").write_text("\n".join(script))
    command = [sys.executable, "-m", "bonn_hw.synth.worker", "script"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def do(folder: Path, *script: str) -> str:
    """Run commands that must not fail, for the log: RuntimeError with its end if they do."""
    done = run(folder, *script)
    if done.returncode:
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    return done.stdout


def make(folder: Path, script: Sequence[str], results: Sequence[str]) -> None:
    """The same for files that the commands write. Assertions have no place here: it may not run.

    Parameters
    ----------
    folder
        Whatever the commands read lies in it, and they name it from there.
    results
        What they write, named from the folder.
    """
    assert not any(str(folder) in line for line in script)
    key = cache.digest(version(), "\n".join(script), *results, *_contents(folder))

    def fill(entry: Path) -> None:
        do(folder, *script)
        for name in results:
            shutil.copyfile(folder / name, entry / name)

    entry = cache.entry(KIND, key, fill)
    for name in results:
        shutil.copyfile(entry / name, folder / name)


def _contents(folder: Path) -> list[str | bytes]:
    """Name and bytes of every file."""
    parts: list[str | bytes] = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        parts += [str(path.relative_to(folder)), path.read_bytes()]
    return parts
