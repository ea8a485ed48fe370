# SPDX-License-Identifier: BSD-3-Clause
"""RtlProject -> bit-sliced simulator, compiled once per content and kept in the cache."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bonn_hw import tools
from bonn_hw.cache import digest, entry
from bonn_hw.emit.write import templates_folder, write
from bonn_hw.ir.rtl import RtlProject
from bonn_hw.progress import Progress, silent
from bonn_hw.sim.build import HARNESS, Simulator
from bonn_hw.sliced import post_synthesis, source, synthesis
from bonn_hw.sliced.independence import split
from bonn_hw.sliced.order import order
from bonn_hw.synth.yosys import Job, version
from bonn_hw.timing import native

HERE = Path(__file__).parent
MODEL, LANES = HERE / "model.cpp", HERE / "lanes.h"
# -O2 takes many times as long for functions of thousands of statements, and gains nothing.
FLAGS = ("-std=c++17", "-O1", "-march=native", "-fno-pie", "-pipe", "-Wno-psabi")
SOURCES = (".py", ".cpp", ".h", ".v")
TERNARY = 512  # bits of the vectors with an instruction for every function of three
VECTORS = {"__AVX512F__": 512, "__AVX2__": 256}  # bits, by the compiler's name of the instructions


@dataclass(frozen=True)
class Gates:
    """A bit-sliced simulator, and how many images it simulates at once."""

    simulator: Simulator
    lanes: int


def build(
    project: RtlProject,
    templates: Path | None = None,
    progress: Progress = silent,
    lanes: int | None = None,
    job: Job | None = None,
    fan_in: int | None = None,
) -> Gates:
    """Compile the simulator of a project, or get it from the cache.

    Parameters
    ----------
    lanes : int or None
        Images at once, a power of two from 64 on; None: as many as the processor's vectors have
        bits.
    job : Job or None
        Simulate the netlist that this synthesis gives, in place of the RTL.
    fan_in : int or None
        The most inputs of a gate, 2 or 3; None: what is faster with vectors of so many bits.

    Raises
    ------
    DataDependent
        If the control of the design depends on data.
    ToolMissing
        If Yosys or a C++ compiler is missing.
    UserError
        If the cache cannot be written, or a memory or a primitive has a form that is not simulated.
    """
    compiler, yosys = native.compiler(), version()
    templates = templates or templates_folder()
    lanes = lanes or _bits_of_vectors(compiler)
    fan_in = fan_in or (3 if lanes == TERNARY else 2)
    flags = (*FLAGS, f"-DLANES={lanes}")
    parts = [compiler, native.meaning(compiler), *flags, yosys, project.top, str(fan_in)]
    contents = [*parts, *(f"{name}\n{text}" for name, text in sorted(project.files.items()))]
    files = [templates / name for name in project.templates]
    files += [HARNESS, HARNESS.with_name("model.h"), *_own()]
    if job is not None:
        contents.append(f"netlist {job.key}")
    key = digest(*contents, *(path.read_bytes() for path in files))

    def make(folder: Path) -> None:
        if job is None:
            write(project, folder, templates)
            progress("gates, with Yosys")
            netlist = synthesis.synthesise(project, folder, fan_in)
        else:
            progress("netlist, with Yosys")
            primitives = post_synthesis.synthesised(job)
            progress("gates of the netlist, with Yosys")
            netlist = post_synthesis.as_gates(primitives, folder, fan_in)
        progress("independence of data")
        ordered = order(proved := split(netlist))
        made = source.write(proved, ordered, folder)
        _compile([compiler, *flags], [*made, MODEL, HARNESS], folder, progress)
        for leftover in folder.iterdir():
            if leftover.name != "simulator":
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()

    return Gates(Simulator(entry("sliced", key, make) / "simulator", ""), lanes)


def _bits_of_vectors(compiler: str) -> int:
    """The width of the processor's vectors."""
    macros = tools.run([compiler, "-march=native", "-dM", "-E", "-x", "c++", os.devnull]).output
    return next((bits for name, bits in VECTORS.items() if f" {name} " in macros), 128)


def _own() -> list[Path]:
    """The files of this package, which decide what is generated."""
    return sorted(path for path in HERE.iterdir() if path.suffix in SOURCES)


def _compile(
    compiler: Sequence[str], files: Sequence[Path], folder: Path, progress: Progress
) -> None:
    """Compile on all cores, the largest file first, and link."""

    def one(path: Path) -> Path:
        target = folder / f"{path.stem}.o"
        # A beat of many images is moved in these, by loops that vectorise.
        level = ("-O3",) if path in (MODEL, HARNESS) else ()
        includes = (f"-I{folder}", f"-I{HERE}", f"-I{HARNESS.parent}")
        _run([*compiler, *level, *includes, "-c", str(path), "-o", str(target)], folder)
        return target

    objects = []
    with tools.threads(os.cpu_count()) as pool:
        ordered = sorted(files, key=lambda path: -path.stat().st_size)
        for count, made in enumerate(pool.map(one, ordered), start=1):
            progress(f"compiling the gates, {count} of {len(files)} files")
            objects.append(str(made))
    _run([*compiler, *objects, "-no-pie", "-o", "simulator"], folder)


def _run(command: Sequence[str], folder: Path) -> None:
    done = tools.run(command, cwd=folder, patience_s=0)
    if done.code:
        raise done.error(done.failure)
