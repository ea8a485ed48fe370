# SPDX-License-Identifier: BSD-3-Clause
"""What the networks of zoo/ cost and how well they do: ``python -m benchmarks.zoo``.

Every network is exported and folded for three boards; docs/zoo.md and its picture are written.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.study import ROOT
from bonn_hw import frontend
from bonn_hw.boards import board
from bonn_hw.nn.export import export
from bonn_hw.nn.training.checkpoint import Checkpoint
from bonn_hw.nn.training.run_files import METRICS
from bonn_hw.passes.folding_file import FoldingConstraints
from bonn_hw.passes.plan import plan, total
from bonn_hw.pipeline import Target
from bonn_hw.progress import silent

ZOO = ROOT / "zoo"
PAGE = ROOT / "docs" / "zoo.md"
PICTURE = ROOT / "docs" / "pictures" / "zoo.svg"
BOARDS = ("pynq-z2", "ultra96-v2", "zcu104")
CLOCK_MHZ, FPS = 100.0, 1000.0


@dataclass(frozen=True)
class Row:
    """A network on a board; resources are predicted."""

    network: str
    dataset: str
    accuracy: float
    board: str
    lut: float
    bram36: float
    dsp: float
    fps: float


def main() -> None:
    """Fold all networks, and write page and picture."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for run in sorted(ZOO.iterdir()) if run.is_dir() for row in _rows(run, folder)]
    PAGE.write_text("\n".join(_page(rows)))
    _draw([row for row in rows if row.board == BOARDS[0]])
    print(PAGE.read_text())


def _rows(run: Path, folder: str) -> list[Row]:
    checkpoint = Checkpoint.load(run)
    model = Path(folder) / f"{run.name}.onnx"
    export(checkpoint, model)
    graph = frontend.lower(frontend.read(model)).graph
    accuracy = json.loads((run / METRICS).read_text())["accuracy"]
    rows = []
    for name in BOARDS:
        planned = plan(graph, Target(board(name), CLOCK_MHZ, FPS), FoldingConstraints(), silent)
        use, rate = total(planned.design), CLOCK_MHZ * 1e6 / planned.timing.interval
        rows.append(
            Row(
                network=run.name,
                dataset=checkpoint.experiment.dataset,
                accuracy=accuracy,
                board=name,
                lut=use.lut,
                bram36=use.bram36,
                dsp=use.dsp,
                fps=rate,
            )
        )
    return rows


def _page(rows: list[Row]) -> list[str]:
    lines = [
        "# The zoo: accuracy and cost",
        "",
        "Written by `python -m benchmarks.zoo`. The networks of [zoo/](../zoo/README.md), folded",
        f"for at least {FPS:,.0f} frames/s at {CLOCK_MHZ:g} MHz. Accuracy: PyTorch on all test",
        "images, which RTL and integers equal ([equality.md](equality.md)). Resources: predicted,",
        "FIFOs included, without the shell.",
        "",
        "[![Accuracy over LUT](pictures/zoo.svg)](pictures/zoo.svg)",
        "",
        "| network | data | accuracy | board | LUT | RAMB36 | DSP | frames/s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [
            row.network,
            row.dataset,
            f"{row.accuracy:.2%}",
            row.board,
            f"{row.lut:,.0f}",
            f"{row.bram36:g}",
            f"{row.dsp:g}",
            f"{row.fps:,.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _draw(rows: list[Row]) -> None:
    """Accuracy over LUT; the area of a point is its block memory."""
    shown = [row for row in rows if row.dataset != "digits"]
    # Without a fixed salt, the file would differ each time.
    with mpl.rc_context({"svg.hashsalt": "zoo", "svg.fonttype": "none"}):
        figure = Figure(figsize=(6, 3.5), layout="constrained")
        axes = figure.subplots()
        sizes = [20 + 6 * row.bram36 for row in shown]
        axes.scatter([r.lut for r in shown], [100 * r.accuracy for r in shown], s=sizes, alpha=0.6)
        for row in shown:
            text = f"{row.network.removeprefix('fashion_')} ({row.bram36:g} RAMB36)"
            axes.annotate(
                text,
                (row.lut, 100 * row.accuracy),
                xytext=(0, 9),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
        axes.margins(0.2)
        axes.set_xlabel(f"LUT at {FPS:,.0f} frames/s, {BOARDS[0]} (predicted)")
        axes.set_ylabel("Fashion-MNIST, test accuracy in %")
        figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    main()
