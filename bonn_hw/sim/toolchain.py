# SPDX-License-Identifier: BSD-3-Clause
"""Verilator and the C++ compiler of simulators: their options, what they depend on, their runs."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bonn_hw import tools
from bonn_hw.cache import digest
from bonn_hw.errors import UserError
from bonn_hw.progress import Progress
from bonn_hw.sim.locate import Verilator

STORED = Path(__file__).parent / "stored"
OPTIMISE = "BONN_HW_SIM_OPTIMISE"  # of simulators: 0 (compiled fast) to 3 (runs fast)
LEVELS = ("0", "1", "2", "3")
# What Verilator calls slow runs once: it is not worth optimising.
SLOW, ONCE = "__Slow", "-O0"
PIPE = "-pipe"  # no temporary files: the cache is the only place that can be full


@dataclass(frozen=True)
class Toolchain:
    """Verilator, the C++ compiler, and how both are used."""

    verilator: Verilator
    compiler: str
    trace: str | None  # "fst", "vcd", or "streams": a VCD of the top module's own signals
    optimisation: tuple[str, ...]

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags of every compilation."""
        include = self.verilator.include
        # The parts of zlib and lz4 that the PyPI package's FST writer needs are in `STORED`.
        stored = (f"-I{STORED}",) if self.bundled else ()
        return (*self.switches, *stored, f"-I{include}", f"-I{include / 'vltstd'}")

    @property
    def switches(self) -> tuple[str, ...]:
        """Those that name no folder."""
        traced = (f"-DTRACE_{self.format.upper()}",) if self.trace else ()
        return (
            # Before C++17 `new` heeds no alignment beyond 16 bytes by itself. Verilator's classes
            # ask for 64, and vector instructions rely on that.
            *(self.standard, "-faligned-new", *self.optimisation),
            *("-DVL_USER_FATAL", "-DVM_COVERAGE=0", "-DVM_SC=0"),
            *(f"-DVM_TRACE={int(bool(self.trace))}", f"-DVM_TRACE_FST={int(self.format == 'fst')}"),
            *(f"-DVM_TRACE_VCD={int(self.format == 'vcd')}", *traced),
        )

    @property
    def standard(self) -> str:
        """The oldest C++ that Verilator's headers are written in.

        Each standard adds to the library's headers: C++17 takes a fifth more time for a small
        design. Verilator's own FST writer needs it.
        """
        return "-std=c++17" if self.format == "fst" else "-std=c++14"

    @property
    def format(self) -> str:
        """The format of the waveforms; empty without any."""
        return "vcd" if self.trace == "streams" else self.trace or ""

    @property
    def headers(self) -> str | None:
        """Source of the precompiled header; None if none is used.

        It is not worth it for waveforms, which few simulations need. Clang's precompiled headers
        cannot be used after their folder is renamed.
        """
        if self.trace or "clang" in Path(self.compiler).name:
            return None
        return '#include "verilated.h"\n'

    @property
    def bundled(self) -> bool:
        """Whether Verilator has its own FST writer, which needs no installed library."""
        return (self.verilator.include / "fstcpp").is_dir()

    @property
    def runtime(self) -> list[Path]:
        """Sources of Verilator's runtime."""
        names = ["verilated.cpp", "verilated_threads.cpp"]
        if self.trace:
            names.append(f"verilated_{self.format}_c.cpp")
        return [self.verilator.include / name for name in names]

    @property
    def libraries(self) -> tuple[str, ...]:
        """Linker options of the executable; gold links in a third of the time where it is there."""
        fast = ("-fuse-ld=gold",) if shutil.which("ld.gold") else ()
        zlib = ("-lz",) if self.format == "fst" and not self.bundled else ()
        return (*fast, "-pthread", *zlib)

    def identity(self) -> list[str]:
        """Everything but the sources that the object files depend on.

        Contents instead of folders: another checkout or environment on this machine finds the same
        entries.
        """
        # The dry run prints the compiler's version and the meaning of "native" on this machine: a
        # home folder may be shared by machines with different processors.
        command = [self.compiler, *self.optimisation, "-###", "-E", "-x", "c++", os.devnull]
        dry = tools.run(command, env=_plain(os.environ))
        version = tools.run([self.compiler, "--version"])
        stored = _contents(STORED) if self.bundled else ""
        versions = (self.verilator.version, self.compiler, version.output, dry.output)
        return [*versions, *self.switches, _contents(self.verilator.include), stored]


@cache
def _contents(folder: Path) -> str:
    """Digest of the C++ files of a folder."""
    files = sorted(path for path in folder.iterdir() if path.suffix in (".h", ".cpp"))
    return digest(*(part for path in files for part in (path.name, path.read_bytes())))


def optimisation(trace: str | None) -> tuple[str, ...]:
    """Compiler flags for the level ``$BONN_HW_SIM_OPTIMISE``; default: the highest.

    Streams are recorded for a frame or two: the time is that of the compilation, so the default is
    the lowest that is not slow.
    """
    level = os.environ.get(OPTIMISE) or (LEVELS[1] if trace == "streams" else LEVELS[-1])
    if level not in LEVELS:
        raise UserError(
            f"{OPTIMISE}={level} is not a level: set one of {', '.join(LEVELS)}, or unset it"
        )
    return f"-O{level}", "-march=native"


def compile_sources(
    chain: Toolchain,
    sources: Sequence[Path],
    folder: Path,
    flags: Sequence[str],
    progress: Progress,
) -> list[Path]:
    """Compile sources on all cores, in their order, and headers as precompiled ones."""
    jobs: list[tuple[Path, Sequence[str]]] = []
    for source in sources:
        if source.suffix == ".h":
            # The compiler takes the one whose optimisation is its own.
            headers = folder / f"{source.name}.gch"
            headers.mkdir()
            for level in dict.fromkeys((chain.optimisation[0], ONCE)):
                words = (level, "-x", "c++-header", str(source))
                jobs.append((headers / f"{level}.gch", words))
        else:
            once = (ONCE,) if source.stem.endswith(SLOW) else ()
            jobs.append((folder / f"{source.stem}.o", (*once, *flags, "-c", str(source))))

    def one(job: tuple[Path, Sequence[str]]) -> Path:
        target, words = job
        run([chain.compiler, PIPE, *chain.flags, *words, "-o", str(target)], folder)
        return target

    objects = []
    with tools.threads(os.cpu_count()) as pool:
        for count, made in enumerate(pool.map(one, jobs), start=1):
            progress(f"compiling the simulator, {count} of {len(jobs)} files")
            objects.append(made)
    return objects


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str] = os.environ) -> None:
    """Run a tool in a folder; an OSError if the disk is full, else its own error."""
    done = tools.run(command, cwd=folder, env=_plain(environment), patience_s=0)
    if done.code:
        if os.strerror(errno.ENOSPC) in done.output or _is_full(folder):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
        raise done.error(f"{' '.join(command)}\nfailed:\n{done.output}")


def _plain(environment: Mapping[str, str]) -> dict[str, str]:
    """Make the tools print English messages: `run` searches for one of them."""
    return {**environment, "LC_ALL": "C"}


def _is_full(folder: Path) -> bool:
    """Whether the disk is full: not every tool says why it could not write."""
    return os.statvfs(folder).f_bavail == 0


def compiles(chain: Toolchain, text: str) -> bool:
    """Whether the compiler takes a C++ file of this text."""
    command = [chain.compiler, "-fsyntax-only", "-x", "c++", "-"]
    return tools.run(command, given=text).code == 0
