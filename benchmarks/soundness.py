# SPDX-License-Identifier: BSD-3-Clause
"""BONN beside plain BNN, over rates a factor of ten wide: ``python -m benchmarks.soundness``.

For each network and optimiser, both methods are trained with each rate on images of which some are
held out, then with the rate that was best there on all of them, with several seeds. Runs that are
there are not repeated; the table in docs/soundness.md shows what there is so far.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.study import ROOT, Study, study, write_between
from bonn_hw.nn.training.experiment import Experiment

PAGE = ROOT / "docs" / "soundness.md"
MARK = "<!-- written by python -m benchmarks.soundness -->"
RATES = {"adam": (0.001, 0.003, 0.01), "sgd": (0.01, 0.03, 0.1)}
METHODS = ("bnn", "bonn")
HELD_OUT, CHOOSING_SEED = 10_000, 0
GRID_EPOCHS, EPOCHS = 5, 15
SEEDS = (1, 2, 3)


@dataclass(frozen=True)
class Subject:
    """A network, as the table calls it, and the experiment with BONN."""

    name: str
    text: str
    experiment: Experiment


@dataclass(frozen=True)
class Row:
    """A network, an optimiser and a method."""

    subject: Subject
    optimiser: str
    method: str

    def at(self, rate: float, epochs: int, seed: int, held_out: int = 0) -> tuple[str, Experiment]:
        """Name and experiment of one training."""
        base = self.subject.experiment
        plain = {} if self.method == "bonn" else {"lam": 0.0, "theta": 0.0, "start": None}
        bayesian: dict[str, Any] = plain
        experiment = replace(
            base,
            options={**base.options, "method": self.method},
            optimiser=self.optimiser,
            nesterov=self.optimiser == "sgd",
            lr=rate,
            epochs=epochs,
            # The last epochs are BONN's fine-tuning; plain BNN trains as long.
            fine_tune_epochs=base.fine_tune_epochs,
            seed=seed,
            held_out=held_out,
            test_every=1000,
            **bayesian,
        )
        kind = "grid" if held_out else "seed"
        name = f"{self.subject.name}_{self.optimiser}_{self.method}_{rate:g}_{kind}{seed}"
        return name, experiment

    def grid(self) -> dict[float, tuple[str, Experiment]]:
        """The trainings that choose the rate, by rate."""
        return {
            rate: self.at(rate, GRID_EPOCHS, CHOOSING_SEED, HELD_OUT)
            for rate in RATES[self.optimiser]
        }

    def chosen(self, runs: Study) -> dict[int, tuple[str, Experiment]]:
        """The trainings with the best rate, by seed; empty while the grid is not complete."""
        found = {rate: runs.accuracy(*run) for rate, run in self.grid().items()}
        if None in found.values():
            return {}
        best = max(found, key=lambda rate: found[rate] or 0.0)
        return {seed: self.at(best, EPOCHS, seed) for seed in SEEDS}


def subjects() -> Iterator[Subject]:
    """The networks, the cheapest first."""
    flows = ROOT / "flows" / "experiments"
    cnv = Experiment.read(flows / "fashion_cnv_bonn.toml")
    narrow = {"convs": (16, 16, 32, 32, 64, 64), "hidden": (128, 128)}
    quarter = replace(cnv, options={**cnv.options, **narrow})
    yield Subject("quarter", "CNV, a quarter of the channels", quarter)
    yield Subject("cnv", "CNV", cnv)
    yield Subject("wrn22", "WRN-22 16-16-32-64", Experiment.read(flows / "fashion_wrn22.toml"))


def rows() -> list[Row]:
    """All rows, the methods of a comparison beside each other."""
    return [
        Row(subject, optimiser, method)
        for subject in subjects()
        for optimiser in RATES
        for method in METHODS
    ]


def main() -> int:
    """Train what is missing, and write the table."""
    runs = study("soundness", __doc__, "soundness")
    for subject in subjects():
        ours = [row for row in rows() if row.subject.name == subject.name]
        runs.train(dict(run for row in ours for run in row.grid().values()))
        runs.train(dict(run for row in ours for run in row.chosen(runs).values()))
    write_between(PAGE, MARK, table(runs))
    return 0


def table(runs: Study) -> list[str]:
    """The lines of the table; a dash where a training is missing."""
    lines = [
        "| network | optimiser | method | held-out accuracy by rate | test accuracy by seed | mean "
        "| standard deviation |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows():
        grid = {rate: runs.accuracy(*run) for rate, run in row.grid().items()}
        tested = [runs.accuracy(*run) for run in row.chosen(runs).values()]
        if not any(v is not None for v in [*grid.values(), *tested]):
            continue
        values = 100 * np.array([v for v in tested if v is not None])
        cells = [
            row.subject.text,
            row.optimiser,
            row.method,
            ", ".join(f"{rate:g}: {_percent(v)}" for rate, v in grid.items()),
            ", ".join(_percent(v) for v in tested) or "–",
            f"{values.mean():.2f}" if len(values) else "–",
            f"{values.std(ddof=1):.2f}" if len(values) > 1 else "–",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _percent(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.2%}" if value else "diverged"


if __name__ == "__main__":
    sys.exit(main())
