# SPDX-License-Identifier: BSD-3-Clause
"""C++ libraries of ours: compiled on first use, cached by content."""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
from pathlib import Path

from bonn_hw import cache, tools
from bonn_hw.errors import ToolMissing

FLAGS = ("-std=c++17", "-O3", "-shared", "-fPIC")


def compiler() -> str:
    """Path of the C++ compiler: ``$CXX``, g++ or clang++. Raises ToolMissing."""
    for name in (os.environ.get("CXX"), "g++", "clang++"):
        found = shutil.which(name) if name else None
        if found:
            return found
    raise ToolMissing(
        "no C++ compiler found (looked for $CXX, g++, clang++): the simulator and the cycle model "
        "are compiled; install one, for example with 'apt install g++'"
    )


@functools.cache
def library(source: Path, machine: str | None = None) -> ctypes.CDLL:
    """Compile a C++ file into a shared library, unless the same one was compiled before.

    Headers of its own lie beside it.

    Parameters
    ----------
    machine : str or None
        Use the instructions of this ``-march``: "native" are those of this processor.
    """
    compiler_path, name = compiler(), f"{source.stem}.so"
    flags = (*FLAGS, f"-march={machine}") if machine else FLAGS

    def make(folder: Path) -> None:
        done = tools.run([compiler_path, *flags, source, "-o", folder / name])
        if done.code:
            raise done.error(f"{source.name}: {done.failure}")

    native = meaning(compiler_path) if machine == "native" else ""
    headers = (path.read_bytes() for path in sorted(source.parent.glob("*.h")))
    key = cache.digest(compiler_path, *flags, native, source.read_bytes(), *headers)
    return ctypes.CDLL(str(cache.entry("libraries", key, make) / name))


def meaning(compiler_path: str) -> str:
    """What "native" means: machines with different processors may share a home folder."""
    command = [compiler_path, "-march=native", "-###", "-E", "-x", "c++", os.devnull]
    return tools.run(command, env={**os.environ, "LC_ALL": "C"}).output
