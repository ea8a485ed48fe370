# SPDX-License-Identifier: BSD-3-Clause
"""Compiled C++ beside Python: built on first use, kept in a cache by content."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from bonn_hw.errors import ToolMissing, UserError

FLAGS = ("-std=c++17", "-O3", "-shared", "-fPIC")


def cache_folder() -> Path:
    """Where built things are kept: ``$XDG_CACHE_HOME/bonn_hw`` or ``~/.cache/bonn_hw``."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "bonn_hw"


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


@cache
def library(source: Path) -> ctypes.CDLL:
    """Compile a C++ file into a shared library, unless the same one was compiled before."""
    tool = compiler()
    digest = hashlib.sha256(source.read_bytes())
    digest.update("\0".join((tool, *FLAGS)).encode())
    built = cache_folder() / f"{source.stem}-{digest.hexdigest()[:16]}.so"
    if not built.exists():
        try:
            built.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=built.parent) as folder:
                fresh = Path(folder) / built.name
                done = subprocess.run(
                    [tool, *FLAGS, str(source), "-o", str(fresh)], capture_output=True, text=True
                )
                if done.returncode:
                    raise RuntimeError(f"{tool} failed on {source.name}:\n{done.stderr}")
                fresh.replace(built)
        except OSError as error:
            raise UserError(
                f"cannot write the cache folder {built.parent}: {error.strerror}; free space there "
                "or name another folder with XDG_CACHE_HOME"
            ) from error
    return ctypes.CDLL(str(built))
