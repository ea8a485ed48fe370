# SPDX-License-Identifier: BSD-3-Clause
"""What pruning costs and saves: ``python -m benchmarks.pruning flows/experiments/NAME.toml``.

Trains the network of an experiment file, prunes it at several rates, and trains the network that is
narrow from the start: as long as the pruned one in all, so that both have seen the same images.
Each is folded for a board. Runs that are there are not repeated, so it can be interrupted, and a
training goes on where it was; a table of the runs that are there is printed after each.
"""

from __future__ import annotations

import argparse
import inspect
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bonn_hw import frontend
from bonn_hw.boards import board
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.target import Target
from bonn_hw.nn.export import export
from bonn_hw.nn.models.networks import NETWORKS
from bonn_hw.nn.training.checkpoint import Checkpoint
from bonn_hw.nn.training.experiment import Experiment
from bonn_hw.nn.training.pruning import prune
from bonn_hw.nn.training.run_files import CHECKPOINT, METRICS, write_atomically
from bonn_hw.nn.training.train import train
from bonn_hw.passes.folding_file import FoldingConstraints
from bonn_hw.passes.plan import plan, total
from bonn_hw.progress import silent

ROOT = Path(__file__).parent.parent
WIDTHS = ("convs", "hidden", "widths")
"""Options of `[network]` that become smaller in a narrow network."""
HEADER = (
    "| network | test accuracy | weights | frames/s | LUT | RAMB36 | LUT, RAMB36 of matrix "
    "units |\n|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Settings:
    """What the command line says."""

    out: Path
    rates: tuple[float, ...]
    fps: tuple[int, ...]
    limit: int | None
    board: str


def main() -> int:
    """Train and prune what is missing; print and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pruning", description=__doc__)
    parser.add_argument("experiment", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "pruning")
    parser.add_argument("--rates", type=float, nargs="+", default=(0.75, 0.5))
    parser.add_argument("--fps", type=int, nargs="+", default=(500, 1000))
    parser.add_argument("--limit", type=int, help="training images")
    parser.add_argument("--board", default="pynq-z2")
    options = parser.parse_args()
    settings = Settings(
        options.out / options.experiment.stem,
        tuple(options.rates),
        tuple(options.fps),
        options.limit,
        options.board,
    )
    base = Experiment.read(options.experiment)
    rows: list[str] = []

    def finished(name: str, run: Path) -> None:
        rows.extend(_rows(name, run, settings))
        table = "\n".join([HEADER, *rows, ""])
        write_atomically(settings.out / "table.md", table.encode())
        print(table, flush=True)

    settings.out.mkdir(parents=True, exist_ok=True)
    whole = settings.out / "whole"
    _train(base, whole, settings)
    finished("whole", whole)
    for rate in settings.rates:
        out = settings.out / f"pruned_{rate:g}"
        if not out.exists():
            prune(whole, out, rate)
        finished(f"pruned, rate {rate:g}", out)
    quarter = max(1, base.all_epochs // 4)
    for rate in settings.rates:
        epochs = base.epochs + 2 * quarter
        narrow = replace(base, epochs=epochs, options=_narrow(base, rate))
        out = settings.out / f"narrow_{rate:g}"
        _train(narrow, out, settings)
        finished(f"narrow from the start, {rate:g}", out)
    return 0


def _narrow(experiment: Experiment, rate: float) -> dict[str, Any]:
    """The options of a network with `rate` of the filters, those of a residual stem included."""
    narrow = dict(experiment.options)
    for name, parameter in inspect.signature(NETWORKS[experiment.network]).parameters.items():
        if name in WIDTHS:
            widths = narrow.get(name, parameter.default)
            if isinstance(widths, int):
                narrow[name] = max(1, int(widths * rate))
            else:
                narrow[name] = [max(1, int(width * rate)) for width in widths]
    return narrow


def _train(experiment: Experiment, out: Path, settings: Settings) -> None:
    metrics = out / METRICS
    if metrics.is_file():
        done = len(json.loads(metrics.read_text())["epochs"])
        if done == experiment.all_epochs:
            return
    resume = (out / CHECKPOINT).is_file()
    train(experiment, out, resume=resume, limit=settings.limit)


def _rows(name: str, run: Path, settings: Settings) -> list[str]:
    model = settings.out / f"{run.name}.onnx"
    export(run, model)
    graph = frontend.lower(frontend.read(model), Checkpoint.load(run).activations()).graph
    units = [node.kernel for node in graph.nodes if node.kernel.stem == "mvu"]
    weights = sum(unit.inputs[0].shape[2] * unit.outputs[0].shape[2] for unit in units)
    accuracy = json.loads((run / METRICS).read_text())["accuracy"]
    rows = []
    for fps in settings.fps:
        target = Target(board(settings.board), 100.0, fps)
        planned = plan(graph, target, FoldingConstraints(), silent)
        used = total(planned.design)
        matrices = sum(
            (
                stage.node.kernel.resources(stage.folding)
                for stage in planned.design.stages
                if stage.node.kernel.stem == "mvu"
            ),
            Resources(),
        )
        rows.append(
            f"| {name} | {accuracy:.2%} | {weights:,} | {fps:,} | {used.lut:,.0f} | "
            f"{used.bram36:g} | {matrices.lut:,.0f}, {matrices.bram36:g} |"
        )
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
