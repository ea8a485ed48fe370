# SPDX-License-Identifier: BSD-3-Clause
"""Measure the exact engine beside PyTorch, ONNX Runtime and NumPy; writes docs/engine.md.

``python -m benchmarks.engine [FRAMES]``: all of them on the same float32 frames, in turns, on an
idle machine; with FRAMES, fewer of them, and no page is written. Each row is printed when it is
known. ONNX Runtime executes the reference of docs/models.md. NumPy takes one round of fewer frames,
and its time is scaled. In each round all answers are compared with ``==``.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from benchmarks.__main__ import ROOT, lively, processor
from benchmarks.calibration import calibrated
from bonn_hw import engine, frontend
from bonn_hw.engine import native
from bonn_hw.ir.tensor import Integers
from bonn_hw.nn.export import export
from bonn_hw.nn.models.networks import build
from bonn_hw.nn.training.checkpoint import Checkpoint
from bonn_hw.timing import native as compiled
from bonn_hw.tools import cores

PAGE = ROOT / "docs" / "engine.md"
ROUNDS = 3
FEW = 500  # frames of NumPy, which takes minutes for all
# Networks, and the frames that they take.
NETWORKS: dict[str, tuple[Callable[[], Checkpoint], int]] = {
    "CNV-W1A1, 32x32x3": (
        lambda: Checkpoint(lively(build("cnv", in_channels=3)).eval()),
        10_000,
    ),
    "WRN-22, hardware form, 32x32x3": (lambda: calibrated("wrn22", in_channels=3), 1_000),
}
WAYS = ("engine", "PyTorch", "ONNX Runtime", "NumPy")


@dataclass(frozen=True)
class Times:
    """Median seconds of each of `WAYS` for all frames; NumPy's are those of some, scaled."""

    network: str
    frames: int
    seconds: tuple[float, ...]

    def row(self) -> str:
        """A line of the table."""
        own, *others = self.seconds
        cells = [f"{own:.2f} s", *(f"{one:.1f} s ({one / own:.1f} x)" for one in others)]
        return f"| {self.network} | {self.frames:,} | {' | '.join(cells)} |"


def measure(name: str, frames: int) -> tuple[Times, Times]:
    """Time all ways for a network: the engine with this machine's instructions, and without."""
    checkpoint = NETWORKS[name][0]()
    levels = np.random.default_rng(0).integers(-128, 128, (frames, 3, 32, 32))
    images = (levels / 128).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export(checkpoint, path)
        lowered = frontend.lower(frontend.read(path))
    host, graph = lowered.host, lowered.graph
    plain = compiled.library(native.SOURCE)

    def portable() -> Integers:
        with patch.object(native, "library", lambda: plain):
            return engine.Engine(graph).run(host.encode(images))

    work: tuple[Callable[[], Any], ...] = (
        lambda: engine.Engine(graph).run(host.encode(images)),
        portable,
        lambda: checkpoint.accumulators(images),
        lambda: lowered.reference.run(images),
    )
    work[0]()  # compiles it, once for this machine
    some = images[:FEW]
    start = time.perf_counter()
    numpy = graph.run(host.encode(some))
    by_numpy = (time.perf_counter() - start) * frames / len(some)
    seconds: list[list[float]] = [[] for _ in work]
    for _ in range(ROUNDS):
        results = []
        for one, times in zip(work, seconds, strict=True):
            start = time.perf_counter()
            results.append(one())
            times.append(time.perf_counter() - start)
        integers, by_plain, pytorch, onnx = results
        if not np.array_equal(integers[: len(some)], numpy):
            raise SystemExit(f"{name}: the engine and NumPy differ")
        if not np.array_equal(integers, by_plain):
            raise SystemExit(f"{name}: the engine and its portable code differ")
        if not np.array_equal(integers.reshape(pytorch.shape), pytorch):
            raise SystemExit(f"{name}: the engine and PyTorch differ")
        if not np.array_equal(host.decode(integers), onnx):
            raise SystemExit(f"{name}: the engine and ONNX Runtime differ")
    own, by_portable, *others = (*map(statistics.median, seconds), by_numpy)
    return (
        Times(name, frames, (own, *others)),
        Times(f"{name}, portable C++", frames, (by_portable, *others)),
    )


def page(rows: Sequence[Times]) -> str:
    """The page."""
    lines = [
        "# The exact engine",
        "",
        "`predict`, and `simulate` beside the RTL, run the integer graph with bits packed along",
        "the channels (`bonn_hw/engine`). Its answers are those of the NumPy references with `==`,",
        "for every kernel (`tests/engine`). It is compiled at first use, for the processor that",
        "runs it; without a C++ compiler NumPy does the work.",
        "",
        f"`python -m benchmarks.engine` wrote this table: {processor()}, {cores()} cores, "
        f"{native.library().instructions().decode()}, Python {platform.python_version()}. Random "
        f"images, from float32 to the integers of the last layer, medians of {ROUNDS} rounds "
        f"(NumPy: one round of {FEW} images, scaled); in brackets how many times as long as the "
        "engine. Portable C++ has no intrinsics and is compiled for any processor: here for x86-64 "
        "with SSE2.",
        "",
        f"| network | images | {' | '.join(WAYS)} |",
        f"|---|---|{'---|' * len(WAYS)}",
        *(row.row() for row in rows),
        "",
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("frames", nargs="?", type=int)
    few = parser.parse_args(arguments).frames
    torch.set_num_threads(cores())
    rows: list[Times] = []
    for name, (_, frames) in NETWORKS.items():
        rows += measure(name, few or frames)
        print(*(row.row() for row in rows[-2:]), sep="\n", flush=True)
    if few is None:
        PAGE.write_text(page(rows))


if __name__ == "__main__":
    main()
