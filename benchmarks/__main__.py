# SPDX-License-Identifier: BSD-3-Clause
"""Measure the flow on CNV with FINN's folding; writes docs/benchmarks.md.

Everything that is compared is measured in the same run, one after the other, on an idle machine.
"""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.losses import loss_cost
from bonn_hw import frontend, pipeline
from bonn_hw.boards import board
from bonn_hw.emit.top import emit
from bonn_hw.ir.stream import pack
from bonn_hw.nn.export import export
from bonn_hw.nn.models.network import Network
from bonn_hw.nn.models.networks import build
from bonn_hw.nn.training.checkpoint import Checkpoint
from bonn_hw.sim import run as simulator
from bonn_hw.sim.build import build as build_simulator
from bonn_hw.timing import model as timing
from bonn_hw.tools import programs

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
SIMULATED, EVALUATED = 300, 10_000


def main() -> None:
    """Run all measurements and write the page."""
    cores = programs.cores()
    torch.set_num_threads(cores)
    with tempfile.TemporaryDirectory() as folder:
        # A cold cache: every tool is compiled within the measurement.
        os.environ["XDG_CACHE_HOME"] = f"{folder}/cache"
        rows = measure(Path(folder), cores)
    lines = [
        "# Benchmarks",
        "",
        f"`make bench` wrote this page: {processor()}, {cores} cores, Python "
        f"{platform.python_version()}. CNV-W1A1 (32x32x3, random weights), FINN's folding "
        "(`flows/experiments/cnv_finn_folding.json`), PYNQ-Z2 at 100 MHz.",
        "",
        "| what | measured | requirement, or for comparison |",
        "|---|---|---|",
        *(f"| {what} | {value} | {compared} |" for what, value, compared in rows),
        "",
    ]
    PAGE.write_text("\n".join(lines))
    print("\n".join(lines))


def measure(folder: Path, cores: int) -> list[tuple[str, str, str]]:
    """Measure; rows of the table."""
    checkpoint = Checkpoint(lively(build("cnv", in_channels=3)).eval())
    model_file = folder / "cnv.onnx"
    export(checkpoint, model_file)
    target = pipeline.Target(board("pynq-z2"), 100.0, None)
    out = folder / "build"
    foldings = ROOT / "flows" / "experiments" / "cnv_finn_folding.json"
    compile_s, report = timed(lambda: pipeline.compile_model(model_file, target, out, foldings))
    design = pipeline.Build.load(out)
    project = emit(design.design)
    build_s, made = timed(lambda: build_simulator(project))

    rng = np.random.default_rng(0)
    levels = rng.integers(-128, 128, (EVALUATED, 3, 32, 32))
    images = (levels / 128).astype(np.float32)
    inputs = design.host.encode(images)
    beats = pack(inputs[:SIMULATED], project.source.lanes, project.source.element)

    def simulated(jobs: int) -> simulator.SimulationRun:
        return simulator.simulate(
            project, beats, SIMULATED, folder=out / "rtl", timeout_cycles=10**6, jobs=jobs
        )

    runs = sorted((simulated(1) for _ in range(5)), key=lambda run: run.seconds)
    alone = runs[len(runs) // 2]
    shared_s, _ = timed(lambda: simulated(cores))
    integer_s, integers = timed(lambda: design.design.graph.run(inputs))
    torch_s, expected = timed(lambda: checkpoint.accumulators(images))
    onnx_s, _ = timed(lambda: frontend.read(model_file).run(images))
    assert np.array_equal(integers.reshape(expected.shape), expected)
    model_s, _ = timed(lambda: timing.run(design.design, 30))

    with_losses, without = loss_cost()
    cycles, latency = report.cycles_per_frame.predicted, report.latency_cycles.predicted
    assert (alone.interval, alone.latency) == (cycles, latency)
    return [
        ("QONNX to RTL", f"{compile_s:.1f} s", "under 30 s"),
        ("Verilator build, cold cache", f"{build_s:.1f} s", "under 120 s"),
        (
            f"simulation, one process, median of {len(runs)} (Verilator {made.verilator})",
            f"{alone.cycles_per_second / 1e6:.2f} M cycles/s, "
            f"{SIMULATED / alone.seconds:.0f} images/s",
            "1.5 M cycles/s",
        ),
        (f"simulation, {cores} processes", f"{SIMULATED / shared_s:.0f} images/s", "–"),
        (
            "cycles per frame, simulated = predicted",
            f"{cycles:,}",
            "32,768; FINN simulated: 44,353",
        ),
        ("latency, cycles, simulated = predicted", f"{latency:,}", "–"),
        ("cycle model", f"{30 * cycles / model_s / 1e6:.1f} M cycles/s", "–"),
        (
            f"integer graph, {EVALUATED:,} images",
            f"{integer_s:.1f} s",
            f"PyTorch {torch_s:.1f} s (ratio {torch_s / integer_s:.2f}), "
            f"ONNX Runtime {onnx_s:.1f} s",
        ),
        (
            "training step of WRN-22 (32x32x3, batch 128), both Bayesian losses",
            f"{with_losses:.2f} s, {with_losses / without:.2f} times the step without",
            "at most 1.3 times",
        ),
    ]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that some work takes, and its result."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def lively(network: Network) -> Network:
    """Give batch norms statistics as after a training: no channel is constant by accident."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            mean, variance = module.get_buffer("running_mean"), module.get_buffer("running_var")
            for values, spread in ((mean, 5.0), (module.bias, 0.5)):
                values.data.normal_(0.0, spread, generator=generator)
            variance.uniform_(20.0, 200.0, generator=generator)
            module.weight.data.normal_(0.0, 1.0, generator=generator)
    return network


def processor() -> str:
    """Name of the processor."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


if __name__ == "__main__":
    main()
