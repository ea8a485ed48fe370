# SPDX-License-Identifier: BSD-3-Clause
"""Folding, FIFO sizing and the cycle model, beside FINN's hand folding and Verilator.

``python -m benchmarks.folding`` writes docs/folding_measured.md. What is compared is measured in
the same run, one after the other; resources come from the kernels' formulas, for both foldings.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.__main__ import ROOT, lively, processor
from benchmarks.calibration import calibrated
from bonn_hw import frontend, pipeline
from bonn_hw.boards import board
from bonn_hw.emit.top import emit
from bonn_hw.emit.write import write
from bonn_hw.interop.dialect import FOLDINGS
from bonn_hw.ir.design import FoldedDesign
from bonn_hw.ir.graph import DataflowGraph
from bonn_hw.ir.stream import pack
from bonn_hw.nn.export import export
from bonn_hw.nn.models.networks import build
from bonn_hw.nn.training.checkpoint import Checkpoint
from bonn_hw.passes.fifo_sizing import depths_of, size_fifos
from bonn_hw.passes.folding import Space, Tables
from bonn_hw.passes.folding_file import FoldingConstraints, read_constraints
from bonn_hw.passes.memory_placement import place_memories
from bonn_hw.passes.plan import feasibility, plan, total
from bonn_hw.passes.prices import alternatives, cheapest
from bonn_hw.passes.width_conversion import insert_width_converters
from bonn_hw.sim import run as simulator
from bonn_hw.timing import engines
from bonn_hw.timing.model import Network, certify, run, run_network
from bonn_hw.tools import programs

PAGE = ROOT / "docs" / "folding_measured.md"
BOARD = board("pynq-z2")
TARGET = pipeline.Target(BOARD, 100.0)
FPS = 3052.0
REPEATS = 5


def main() -> None:
    """Measure and write the page."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cnv = lowered(Checkpoint(lively(build("cnv", in_channels=3)).eval()), folder / "cnv.onnx")
        wrn = lowered(calibrated("wrn22", in_channels=3), folder / "wrn22.onnx")
        cases = [
            finns(cnv),
            best(cnv, "CNV, 3,052 frames/s", replace(TARGET, fps=FPS)),
            best(cnv, "CNV, the same in 0.6 ms", replace(TARGET, fps=FPS, latency_ms=0.6)),
            best(cnv, "CNV, most frames/s, 70 % of the LUT", replace(TARGET, fastest=True)),
            best(wrn, "WRN-22, 1,000 frames/s", replace(TARGET, fps=1000.0)),
            best(wrn, "WRN-22, 3,000 frames/s", replace(TARGET, fps=3000.0)),
        ]
        rows = [case.row(simulated(case, folder)) for case in cases]
        slow = best(cnv, "CNV, 500 frames/s", replace(TARGET, fps=500.0))
        speeds = [speed(case, folder) for case in (cases[0], cases[1], slow, cases[4])]
        limits = [note for graph in (cnv, wrn) for note in feasibility(graph, TARGET).messages]
    PAGE.write_text(page(cases, rows, speeds, limits))
    print(PAGE.read_text())


def lowered(checkpoint: Checkpoint, path: Path) -> DataflowGraph:
    """The integer graph of a checkpoint."""
    export(checkpoint, path)
    return frontend.lower(frontend.read(path)).graph


@dataclass(frozen=True)
class Case:
    """A design and how long it took to find."""

    name: str
    design: FoldedDesign
    folding_s: float
    sizing_s: float

    @property
    def bits(self) -> int:
        """Bits that all FIFOs hold."""
        depths = depths_of(self.design)
        return sum(depths.get(s.tensor, 0) * s.width for s in self.design.streams)

    @property
    def cost(self) -> float:
        """LUT, and RAMB36 at the board's rate."""
        used = total(self.design)
        return used.lut + BOARD.lut_per_bram36 * used.bram36

    def row(self, verilator: str) -> str:
        """A row of the table."""
        timing, used = run(self.design), total(self.design)
        cells = (
            self.name,
            f"{1e8 / timing.interval:,.0f}",
            f"{timing.interval:,}",
            f"{timing.latency:,}",
            f"{timing.latency / 1e5:.2f} ms",
            f"{used.lut:,.0f}",
            f"{used.bram36:g}",
            f"{used.dsp:g}",
            f"{len(depths_of(self.design))}, {self.bits:,} bits",
            f"{self.folding_s:.2f} s",
            f"{self.sizing_s:.2f} s",
            verilator,
        )
        return f"| {' | '.join(cells)} |"


def finns(graph: DataflowGraph, target: pipeline.Target = TARGET) -> Case:
    """CNV with the folding that FINN's authors chose by hand; the rest is ours."""
    constraints = read_constraints(
        ROOT / "flows" / "experiments" / "cnv_finn_folding.json", graph, FOLDINGS
    )
    folding_s, choice = timed(
        lambda: cheapest(
            Space(graph, constraints.foldings, Tables(alternatives(target))), 32768, target
        )
    )
    folded = insert_width_converters(choice.applied(graph), choice.foldings)
    sizing_s, sized = timed(lambda: size_fifos(folded))
    return Case("CNV, FINN's folding", place_memories(sized, target), folding_s, sizing_s)


def best(graph: DataflowGraph, name: str, target: pipeline.Target) -> Case:
    """A design of ours, its folding and sizing timed apart."""
    whole_s, planned = timed(lambda: plan(graph, target, FoldingConstraints(), lambda text: None))
    stages = {stage.name: stage for stage in planned.design.stages}
    nodes = (replace(node, kernel=stages[node.name].node.kernel) for node in graph.nodes)
    chosen = {node.name: stages[node.name].folding for node in graph.nodes}
    folded = insert_width_converters(replace(graph, nodes=tuple(nodes)), chosen)
    sizing_s, sized = timed(lambda: size_fifos(folded))
    assert place_memories(sized, target) == planned.design
    certify(Network.of(planned.design))
    return Case(name, planned.design, max(whole_s - sizing_s, 0.0), sizing_s)


def simulated(case: Case, folder: Path) -> str:
    """Hold every output beat of the RTL against the model, without and with random stalls."""
    frames = 4
    for stall in (None, 1):
        outcome = verilate(case.design, folder, frames, stall)
        predicted = run(case.design, frames, stall)
        if not np.array_equal(outcome.output_cycles, predicted.output_cycles):
            return "DIFFERS"
    return f"equal, {outcome.output_cycles.size:,} beats twice"


def verilate(
    design: FoldedDesign, folder: Path, frames: int, stall: int | None = None
) -> simulator.SimulationRun:
    """Simulate random frames."""
    project = emit(design)
    rtl = folder / "rtl"
    rtl.mkdir(exist_ok=True)
    write(project, rtl)
    kind = design.graph.tensors[design.graph.input]
    rng = np.random.default_rng(0)
    shape = (frames, *kind.shape)
    inputs = rng.integers(kind.element.low, kind.element.high + 1, shape)
    beats = pack(inputs, project.source.lanes, project.source.element)
    return simulator.simulate(project, beats, frames, folder=rtl, timeout_cycles=10**6, stall=stall)


def speed(case: Case, folder: Path) -> str:
    """Cycles a second of Verilator and of both engines, taking turns; medians."""
    network = Network.of(case.design)
    frames = 4 if "WRN" in case.name else 30
    verilate(case.design, folder, 1)  # built
    run_network(network, 1)
    run_network(network, 1, engine=engines.stepping)
    found: dict[str, list[float]] = {"verilator": [], "stepping": [], "events": []}
    for _ in range(REPEATS):
        outcome = verilate(case.design, folder, frames)
        found["verilator"].append(outcome.cycles / outcome.seconds)
        for name, engine in (("stepping", engines.stepping), ("events", engines.events)):

            def model(engine: engines.Engine = engine) -> Any:
                return run_network(network, frames, engine=engine)

            seconds, timing = timed(model)
            found[name].append((int(timing.last_out[-1]) + 1) / seconds)
    rtl, stepping, events = (statistics.median(found[name]) for name in found)
    return (
        f"| {case.name} | {rtl / 1e6:.2f} | {stepping / 1e6:.2f} ({stepping / rtl:.1f} times) | "
        f"{events / 1e6:.2f} ({events / rtl:.1f} times) |"
    )


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds and result."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def page(cases: list[Case], rows: list[str], speeds: list[str], limits: list[str]) -> str:
    """The whole page."""
    hand, ours = cases[:2]
    luts = [total(case.design).lut for case in (hand, ours)]
    return "\n".join(
        [
            "# Folding and FIFO depths, measured",
            "",
            f"`python -m benchmarks.folding` wrote this page: {processor()}, {programs.cores()} "
            f"cores. {BOARD.name} ({BOARD.part}) at 100 MHz. Cycles and latency are those of the "
            "cycle model; the last column says whether Verilator has every output beat of 4 "
            "frames in the same cycle, once without stalls and once with random stalls at both "
            "ends. LUT, BRAM36 and DSP are predicted by the kernels' formulas.",
            "",
            "| design | frames/s | cycles per frame | latency, cycles | latency | LUT | BRAM36 | "
            "DSP | FIFOs | folding | FIFO sizing | Verilator |",
            "|---|---|---|---|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            f"At the frame rate of FINN's folding, that folding costs {hand.cost / ours.cost:.2f} "
            f"times as much as ours, with a block memory counted as {BOARD.lut_per_bram36:.0f} "
            f"LUTs; it takes {luts[0] / luts[1]:.2f} times as many LUTs. Both are predicted by the "
            "same formulas.",
            "",
            *(f"* {note}" for note in limits),
            "",
            "## The model's speed",
            "",
            f"Millions of cycles per second on one core, medians of {REPEATS} runs, in turn. "
            "`stepping` computes every cycle; `events` skips those in which nothing changes, and "
            "is the engine that `fold` and `compile` use: the more idle a design, the faster.",
            "",
            "| design | Verilator | stepping | events |",
            "|---|---|---|---|",
            *speeds,
            "",
        ]
    )


if __name__ == "__main__":
    main()
