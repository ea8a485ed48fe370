# SPDX-License-Identifier: BSD-3-Clause
"""C++ libraries of the cycle model: compiled on first use, cached by content."""

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
def library(source: Path) -> ctypes.CDLL:
    """Compile a C++ file into a shared library, unless the same one was compiled before."""
    compiler_path, name = compiler(), f"{source.stem}.so"

    def make(folder: Path) -> None:
        done = tools.run([compiler_path, *FLAGS, source, "-o", folder / name])
        if done.code:
            raise RuntimeError(f"{source.name}: {done.failure}")

    key = cache.digest(compiler_path, *FLAGS, source.read_bytes())
    return ctypes.CDLL(str(cache.entry("libraries", key, make) / name))
