# SPDX-License-Identifier: BSD-3-Clause
"""Which loss helps, and by how much: ``python -m benchmarks.ablation``.

Trains WRN-22 by flows/experiments/fashion_wrn22_ablation.toml. First each method chooses its own
learning rate, BONN also its start, lambda and theta, on images held out of the training set; then
every method is trained with several seeds, each for the same epochs. Runs that are there are not
repeated; docs/ablation.md shows what there is so far.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

from benchmarks.study import ROOT, Study, study, write_between
from bonn_hw.nn.models.residual import ResidualNetwork
from bonn_hw.nn.training.checkpoint import Checkpoint
from bonn_hw.nn.training.experiment import Experiment
from bonn_hw.nn.training.kernel_statistics import KERNELS

FLOW = ROOT / "flows" / "experiments" / "fashion_wrn22_ablation.toml"
PAGE = ROOT / "docs" / "ablation.md"
MARK = "<!-- written by python -m benchmarks.ablation -->"
SEEDS = (1, 2, 3)
MORE_SEEDS = (4, 5)
"""Of the rows that differ by a loss alone, whose differences are small."""
LOSS_ROWS = ("none", "kernel", "feature", "both")
CONTROL = "none"
RATES = (0.001, 0.003, 0.01)
STARTS = (None, 0.01)
LAMBDAS = (1e-3, 1e-4, 1e-5)
THETAS = (1.0, 1e-1, 1e-2, 1e-3)
"""Up to 1: the paper's feature loss is a sum over the batch, ours a mean."""
HELD_OUT = 10_000
CHOOSING_SEED = 0
"""Of the runs on held-out images; none of `SEEDS`."""
CHOOSING_EPOCHS = 10
SCATTERED = 2000
"""Test images whose features are compared."""
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Variant:
    """A row of the table: its text, what it changes in the experiment, and whose settings it has.

    Attributes
    ----------
    settings
        The variant on whose held-out runs the settings were chosen; by default itself.
    """

    text: str
    method: str
    changes: dict[str, Any]
    settings: str = ""


VARIANTS = {
    "none": Variant("neither loss", "bonn", {"lam": 0.0, "theta": 0.0}, "both"),
    "kernel": Variant("kernel loss", "bonn", {"theta": 0.0}, "both"),
    "feature": Variant("feature loss", "bonn", {"lam": 0.0}, "both"),
    "both": Variant("both (BONN)", "bonn", {}),
    "hardware": Variant("both, hardware form", "bonn", {"form": "hardware"}, "both"),
    "bnn": Variant("plain BNN", "bnn", {}),
    "recu": Variant("ReCU", "bnn", {"latent": "recu"}),
    "kurtosis": Variant("BD-BNN's kurtosis", "bnn", {"kurtosis": 0.1}),
    "xnor": Variant("XNOR-Net", "xnor", {}),
    "bireal": Variant("Bi-Real", "bireal", {}),
    "react": Variant("ReActNet's shifts", "react", {}),
    "float": Variant("full precision", "float", {}),
}
OPTIONS = ("form", "latent")
"""Changes of the network; the others are of the training."""


def main() -> int:
    """Train what is missing, and write the table."""
    runs = study("ablation", __doc__, "ablation")
    for name, variant in VARIANTS.items():
        if not variant.settings:
            for stage in (_rates, _lambdas, _thetas):
                runs.train(stage(name, runs))
    runs.train(
        {
            f"{name}_{seed}": experiment
            for seed in SEEDS + MORE_SEEDS
            for name in VARIANTS
            if seed in _seeds(name) and (experiment := _final(name, seed, runs))
        }
    )
    write_between(PAGE, MARK, [*_choices(runs), "", *_table(runs)])
    return 0


def _seeds(name: str) -> tuple[int, ...]:
    return SEEDS + MORE_SEEDS if name in LOSS_ROWS else SEEDS


def _experiment(name: str, **settings: Any) -> Experiment:
    """The experiment of a variant with chosen settings; its own changes win."""
    variant, base = VARIANTS[name], Experiment.read(FLOW)
    options = {k: v for k, v in variant.changes.items() if k in OPTIONS}
    changes = {k: v for k, v in variant.changes.items() if k not in OPTIONS}
    if variant.method != "bonn":
        settings = {"lr": settings["lr"]}
        changes |= {"lam": 0.0, "theta": 0.0, "start": None}
    return replace(
        base, options={**base.options, "method": variant.method, **options}, **settings | changes
    )


def _held_out(name: str, **settings: Any) -> Experiment:
    return replace(
        _experiment(name, **settings),
        epochs=CHOOSING_EPOCHS,
        held_out=HELD_OUT,
        seed=CHOOSING_SEED,
    )


def _rates(name: str, runs: Study) -> dict[str, Experiment]:
    """The first stage: rate and, for BONN, the start of the kernels; without the feature loss."""
    starts = STARTS if VARIANTS[name].method == "bonn" else (None,)
    return {
        f"{name}_lr_{rate:g}_start_{start or 'torch'}": _held_out(
            name, lr=rate, start=start, theta=0.0
        )
        for rate in RATES
        for start in starts
    }


def _lambdas(name: str, runs: Study) -> dict[str, Experiment]:
    """The second stage, for BONN."""
    chosen = _best(_rates(name, runs), runs)
    if VARIANTS[name].method != "bonn" or chosen is None:
        return {}
    settings = {"lr": chosen.lr, "start": chosen.start, "theta": 0.0}
    return {f"{name}_lambda_{v:g}": _held_out(name, lam=v, **settings) for v in LAMBDAS}


def _thetas(name: str, runs: Study) -> dict[str, Experiment]:
    """The third stage, for BONN."""
    chosen = _best(_lambdas(name, runs), runs)
    if chosen is None:
        return {}
    settings = {"lr": chosen.lr, "start": chosen.start, "lam": chosen.lam}
    return {f"{name}_theta_{v:g}": _held_out(name, theta=v, **settings) for v in THETAS}


def _best(stage: dict[str, Experiment], runs: Study) -> Experiment | None:
    """The most accurate of a stage; None while it is not complete, or has none."""
    found = {name: runs.accuracy(name, run) for name, run in stage.items()}
    if not found or None in found.values():
        return None
    return stage[max(found, key=lambda name: found[name] or 0.0)]


def _final(name: str, seed: int, runs: Study) -> Experiment | None:
    """The experiment of a row and seed; None while its settings are not chosen."""
    chooser = VARIANTS[name].settings or name
    last = _thetas if VARIANTS[chooser].method == "bonn" else _rates
    chosen = _best(last(chooser, runs), runs)
    if chosen is None:
        return None
    settings = {k: getattr(chosen, k) for k in ("lr", "start", "lam", "theta")}
    return replace(_experiment(name, **settings), seed=seed)


def _accuracies(name: str, runs: Study) -> dict[int, float]:
    """Test accuracies in percent, by seed, of what is trained."""
    found = {}
    for seed in _seeds(name):
        experiment = _final(name, seed, runs)
        if experiment and (accuracy := runs.accuracy(f"{name}_{seed}", experiment)) is not None:
            found[seed] = 100 * accuracy
    return found


def _choices(runs: Study) -> list[str]:
    """What was found on held-out images, a line for each method."""
    lines = [
        f"On {HELD_OUT:,} held-out training images, after {CHOOSING_EPOCHS} epochs and the "
        f"fine-tuning (seed {CHOOSING_SEED}):",
        "",
    ]
    for name, variant in VARIANTS.items():
        if variant.settings:
            continue
        tried = {}
        for stage in (_rates, _lambdas, _thetas):
            for run, experiment in stage(name, runs).items():
                accuracy = runs.accuracy(run, experiment)
                if accuracy is not None:
                    tried[run.removeprefix(f"{name}_").replace("_", " ")] = f"{accuracy:.2%}"
        if tried:
            lines.append(f"* {variant.text}: {', '.join(f'{k}: {v}' for k, v in tried.items())}")
    return lines


def _table(runs: Study) -> list[str]:
    """A row for each variant that is trained; p values by Holm over all rows but the control."""
    found = {name: _accuracies(name, runs) for name in VARIANTS}
    pairs = {name: _paired(values, found[CONTROL]) for name, values in found.items()}
    del pairs[CONTROL]
    corrected = holm({name: p[2] for name, p in pairs.items() if p is not None})
    rows = [
        "| WRN-22 16-16-32-64 | test accuracy, mean | standard deviation | by seed | against "
        f"neither loss, same seeds: difference ({CONFIDENCE:.0%} interval), corrected p | valley | "
        "bimodality | scatter |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, accuracies in found.items():
        if not accuracies:
            continue
        values = np.array(list(accuracies.values()))
        test = "–"
        if (paired := pairs.get(name)) is not None:
            mean, half, _ = paired
            test = f"{mean:+.2f} (±{half:.2f}) points, p = {corrected[name]:.3f}"
        folders = [runs.folder(f"{name}_{seed}") for seed in accuracies]
        cells = [
            VARIANTS[name].text,
            f"{values.mean():.2f} %",
            f"{values.std(ddof=1):.2f}" if len(values) > 1 else "–",
            ", ".join(f"{v:.2f}" for v in values),
            test,
            *(_mean_of(partial(_shape, statistic=s), folders) for s in ("valley", "bimodality")),
            _mean_of(_scatter, folders),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _paired(
    values: dict[int, float], control: dict[int, float]
) -> tuple[float, float, float] | None:
    """Mean difference, half of its interval, and p of the paired t-test; None below two seeds."""
    seeds = sorted(values.keys() & control.keys())
    if len(seeds) < 2:
        return None
    test = stats.ttest_rel([values[s] for s in seeds], [control[s] for s in seeds])
    low, high = test.confidence_interval(CONFIDENCE)
    return (low + high) / 2, (high - low) / 2, float(test.pvalue)


def holm(pvalues: dict[str, float]) -> dict[str, float]:
    """p values that hold for all comparisons together (Holm, 1979)."""
    corrected, largest = {}, 0.0
    for rank, name in enumerate(sorted(pvalues, key=lambda name: pvalues[name])):
        largest = max(largest, min(1.0, (len(pvalues) - rank) * pvalues[name]))
        corrected[name] = largest
    return corrected


def _mean_of(statistic: Callable[[Path], float | None], folders: list[Path]) -> str:
    found = [statistic(folder) for folder in folders]
    known = [value for value in found if value is not None]
    return f"{np.mean(known):.2f}" if len(known) == len(found) else "–"


def _shape(out: Path, statistic: str) -> float | None:
    """A statistic of the kernels at the end, median over the 1-bit layers."""
    layers = json.loads((out / KERNELS).read_text())["epochs"][-1]["layers"].values()
    return float(np.median([layer[statistic] for layer in layers])) if layers else None


@torch.inference_mode()
def _scatter(out: Path) -> float:
    """The features' variance within classes over that between them, on test images."""
    checkpoint = Checkpoint.load(out)
    test = checkpoint.test_set(SCATTERED)
    network = checkpoint.network
    assert isinstance(network, ResidualNetwork)
    parts = torch.from_numpy(test.images).split(250)
    features = torch.cat([network.embed(part) for part in parts])
    labels = torch.from_numpy(test.labels)
    centres = torch.stack([features[labels == k].mean(0) for k in range(len(test.classes))])
    within = (features - centres[labels]).square().sum(1).mean()
    return float(within / (centres - features.mean(0)).square().sum(1).mean())


if __name__ == "__main__":
    sys.exit(main())
