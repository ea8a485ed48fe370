# SPDX-License-Identifier: BSD-3-Clause
"""Measure the bit-sliced simulator beside Verilator; writes the table of docs/sliced.md.

``python -m benchmarks.sliced [IMAGES]``: on an idle machine. Processor time is that of all
processes. With IMAGES, fewer than 10,000 of them, and no page is written. Every answer is compared
with the integer graph, and the cycles of the first frames with Verilator, with ``==``.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.__main__ import ROOT, lively, processor
from bonn_hw import engine, pipeline
from bonn_hw.boards import board
from bonn_hw.emit.top import emit
from bonn_hw.ir.stream import pack, unpack
from bonn_hw.nn.export import export
from bonn_hw.nn.models.networks import build as network
from bonn_hw.nn.training.checkpoint import Checkpoint
from bonn_hw.sim import run as verilator
from bonn_hw.sim.run import SimulationRun
from bonn_hw.sliced import build as building
from bonn_hw.sliced import run as sliced
from bonn_hw.sliced.engines import checked
from bonn_hw.tools import cores

PAGE = ROOT / "docs" / "sliced.md"
BEGIN = "<!-- measured -->"
IMAGES = 10_000
VECTORS, DEPTHS = 2, (3, 6)  # of the runs whose difference is the steady state
Result = TypeVar("Result")


@dataclass(frozen=True)
class Spent:
    """Seconds: of the clock, and of all processors."""

    wall: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.wall:.1f} s ({self.cpu:.1f} CPU s)"


def spent(work: Callable[[], Result]) -> tuple[Spent, Result]:
    """Do work, and measure it."""

    def now() -> float:
        of = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(one.ru_utime + one.ru_stime for one in of)

    wall, cpu = time.perf_counter(), now()
    result = work()
    return Spent(time.perf_counter() - wall, now() - cpu), result


def cnv(folder: Path) -> pipeline.Build:
    """CNV with FINN's folding."""
    model, out = folder / "cnv.onnx", folder / "cnv"
    export(Checkpoint(lively(network("cnv", in_channels=3)).eval()), model)
    target = pipeline.Target(board("pynq-z2"), 100.0, None)
    foldings = ROOT / "flows" / "experiments" / "cnv_finn_folding.json"
    pipeline.compile_model(model, target, out, foldings)
    return pipeline.Build.load(out)


def measure(build: pipeline.Build, images: int) -> Iterator[tuple[str, str]]:
    """Measure a build; rows of the table, each when it is known."""
    project = emit(build.design)
    graph = build.design.graph
    kind = graph.tensors[graph.input]
    built, gates = spent(lambda: building.build(project))
    yield "build, once for a design", str(built)

    def beats_of(frames: int) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
        values = np.random.default_rng(0).integers(
            kind.element.low, kind.element.high + 1, (frames, *kind.shape)
        )
        return values, pack(values, project.source.lanes, project.source.element)

    def by_verilator(frames: int) -> SimulationRun:
        return verilator.simulate(
            project,
            beats_of(frames)[1],
            frames,
            folder=build.rtl,
            timeout_cycles=build.design.patience,
        )

    def by_gates(frames: int, vectors: int | None, jobs: int) -> tuple[Spent, SimulationRun]:
        values, beats = beats_of(frames)
        took, run = spent(
            lambda: sliced.simulate(
                project,
                beats,
                frames,
                folder=build.rtl,
                timeout_cycles=build.design.patience,
                vectors=vectors,
                jobs=jobs,
            )
        )
        answers = unpack(run.outputs, project.sink.lanes, project.sink.element)
        expected = engine.run(graph, values)
        if not np.array_equal(answers.reshape(expected.shape), expected):
            raise SystemExit("the gates and the integer graph differ")
        return took, run

    place = gates.lanes * VECTORS
    (short, _), (long, _) = (by_gates(place * depth, VECTORS, 1) for depth in DEPTHS)
    steady = place * (DEPTHS[1] - DEPTHS[0]) / (long.cpu - short.cpu)
    yield "images a CPU second, steady state", f"{steady:,.0f}"
    whole, run = by_gates(images, None, cores())
    yield f"{images:,} images, {cores()} processes", str(whole)
    yield f"images a CPU second, all of the {images:,}", f"{images / whole.cpu:,.0f}"
    by_verilator(1)  # compiles it
    few = max(6, images // 100)
    alone, witness = spent(lambda: by_verilator(few))
    frames = min(few, run.shards[0][1])
    beats = frames * project.sink.beats
    checked(
        run,
        replace(
            witness, outputs=witness.outputs[:beats], output_cycles=witness.output_cycles[:beats]
        ),
        project,
    )
    yield f"images a CPU second, Verilator, {few} images", f"{few / alone.cpu:,.1f}"
    yield "cycles a frame, as Verilator's", f"{run.interval:,}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the table into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", nargs="?", type=int)
    few = parser.parse_args(arguments).images
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = f"{folder}/cache"  # all is built within the measurement
        rows = []
        for what, value in measure(cnv(Path(folder)), few or IMAGES):
            rows.append(f"| {what} | {value} |")
            print(rows[-1], flush=True)
    lines = [
        BEGIN,
        "",
        f"`python -m benchmarks.sliced` wrote this table: {processor()}, {cores()} cores. CNV-W1A1 "
        "(32x32x3, random weights), FINN's folding, random images. All answers are equal to the",
        "integer graph's, and the cycles to Verilator's.",
        "",
        "| what | measured |",
        "|---|---|",
        *rows,
        "",
    ]
    if few is None:
        before = PAGE.read_text().partition(BEGIN)[0].rstrip()
        PAGE.write_text(f"{before}\n\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
