# SPDX-License-Identifier: BSD-3-Clause
"""A trained network as a bitstream of the open tools, proved from its bits on test images.

    python -m benchmarks.routed BUILD [--run zoo/fashion_cnv] [--images 100] [--fps 1000]

BUILD is made if it is not there, for a PYNQ-Z2; if it has a bitstream, that one is taken. The bits
are read back to a netlist, which must equal the one that was placed, and which answers the first
test images through its registers and memory port: as PyTorch does, by ``==``. Prints what each step
took of the processor, and the most memory of a process.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.__main__ import ROOT, processor
from benchmarks.laps import Laps, most_memory_gib
from bonn_hw.bitstream.make import BOARD, NAME, SYSTEM, make
from bonn_hw.bitstream.open import seven_series
from bonn_hw.bitstream.pack import bitstream_in
from bonn_hw.bitstream.readback import proof
from bonn_hw.bitstream.readback.netlist import Netlist
from bonn_hw.boards import board as find_board
from bonn_hw.build_folder import Build
from bonn_hw.cli.main import main as command_line
from bonn_hw.frontend.numpy_host import tail_of
from bonn_hw.nn.training.checkpoint import Checkpoint
from bonn_hw.report.section_values import Implemented
from bonn_hw.report.store import load

DEVICE = "pynq-z2"
# What is printed, and how the steps of `make` and of the proof begin.
STEPS = {
    "synthesis": ("RTL", "synthesis"),
    "place and route": ("placement", "routing"),
    "frames, file and decode-back": ("frames",),
    "bits to netlist": ("reading",),
    "comparison": ("comparing",),
    "simulation": ("simulating",),
}


def main() -> int:
    """Print a row for each step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("--run", type=Path, default=ROOT / "zoo" / "fashion_cnv")
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--fps", default="1000")
    parser.add_argument("--clock-mhz", default="75")
    given = parser.parse_args()
    laps = Laps()
    if not given.build.exists():
        _compile(given.run, given.build, given.fps, given.clock_mhz)
    build = Build.load(given.build)
    if bitstream_in(given.build / BOARD, NAME) is None:
        target, clock = find_board(DEVICE), build.report.target.clock_mhz
        parts = (build.design, build.host, build.report, target, clock)
        make(given.build, *parts, "open", laps, prove=False)
        laps.end()
    figures = load(Implemented, given.build / SYSTEM / "bitstream" / "report.json")
    laps("PyTorch")
    checkpoint = Checkpoint.load(given.run)
    images = np.asarray(checkpoint.test_set(given.images).images, np.float32)
    expected = answers(build, checkpoint, images)
    netlist, cycles = shown(given.build, images, expected, laps)
    _print(build, figures, netlist, laps, f"{len(images)} images in {cycles:,} cycles")
    return 0


def _compile(run: Path, build: Path, fps: str, clock_mhz: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        model = f"{folder}/{run.name}.onnx"
        options = ["--board", DEVICE, "--fps", fps, "--clock-mhz", clock_mhz, "--no-dsp"]
        options += ["--checkpoint", str(run), "--out", str(build), "--quiet"]
        for words in (["export", str(run), "--out", model], ["compile", model, *options]):
            if code := command_line(words):
                raise SystemExit(f"bonn-hw {' '.join(words)} ended with {code}")


def answers(build: Build, checkpoint: Checkpoint, images: NDArray[np.float32]) -> NDArray[Any]:
    """PyTorch's answers, as the driver returns them: its integers, decoded as on the board.

    No two libraries round the float operations after them alike.
    """
    scores = build.design.graph.tensors[build.design.graph.output]
    integers = checkpoint.accumulators(images).astype(np.int64).reshape(-1, *scores.shape)
    return tail_of(build.host, scores).host.decode(integers)


def shown(
    build: Path, images: NDArray[np.float32], expected: NDArray[Any], laps: Laps
) -> tuple[Netlist, int]:
    """Read the bits back and compare; returns the netlist, and the cycles that it was simulated."""
    file, database = build / BOARD / f"{NAME}.bit", seven_series.database_of(find_board(DEVICE))
    laps("reading what was placed")
    asked, system = proof.asked_on(
        database, build / SYSTEM / "bitstream" / seven_series.PLACED, None
    )
    netlist = proof.as_placed(file, database, asked, system, laps)
    laps("simulating")
    cycles = proof.answer(netlist, file, images, expected)
    laps.end()
    return netlist, cycles


def _print(build: Build, figures: Implemented, netlist: Netlist, laps: Laps, told: str) -> None:
    used, timing = figures.resources, figures.timing
    rate = timing.clock_mhz * 1e6 / build.report.cycles_per_frame.predicted
    parts = (netlist.tables, netlist.registers, netlist.memories)
    tables, registers, memories = (f"{len(one):,}" for one in parts)
    rows = [
        ("frames/s", f"{rate:,.0f} at {timing.clock_mhz:g} MHz"),
        ("closes at", f"{timing.fmax_mhz:g} MHz by nextpnr's estimate"),
        (
            "LUT, FF, RAMB36",
            ", ".join(f"{one.implemented:,g}" for one in (used.lut, used.ff, used.bram36)),
        ),
        ("read back", f"{tables} tables, {registers} registers, {memories} memories of 18 kbit"),
        ("equal to PyTorch's", told),
        *((f"CPU: {what}", f"{seconds:.0f} s") for what, seconds in _sums(laps) if seconds),
        ("most memory of a process", f"{most_memory_gib():.1f} GiB"),
    ]
    print(f"\n{processor()}\n\n| what | |\n|---|---|")
    print("\n".join(f"| {what} | {value} |" for what, value in rows))


def _sums(laps: Laps) -> Iterator[tuple[str, float]]:
    for what, steps in STEPS.items():
        yield what, laps.of(*steps)


if __name__ == "__main__":
    raise SystemExit(main())
