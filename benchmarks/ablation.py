# SPDX-License-Identifier: BSD-3-Clause
"""Which loss helps, and by how much: ``python -m benchmarks.ablation``.

Trains WRN-22 by flows/experiments/fashion_wrn22_ablation.toml: first to choose lambda and theta,
on images held out of the training set, then every method with several seeds, each for the same
epochs. Runs that are there are not repeated, so it can be interrupted; the table in
docs/ablation.md is then written.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy import stats

from bonn_hw.nn.training.checkpoint import Checkpoint
from bonn_hw.nn.training.experiment import Experiment
from bonn_hw.nn.training.kernel_statistics import KERNELS
from bonn_hw.nn.training.run_files import METRICS, write_atomically

ROOT = Path(__file__).parent.parent
FLOW = ROOT / "flows" / "experiments" / "fashion_wrn22_ablation.toml"
PAGE = ROOT / "docs" / "ablation.md"
MARK = "<!-- written by python -m benchmarks.ablation -->"
SEEDS = (1, 2, 3)
MORE_SEEDS = (4, 5)
"""Of the rows that differ by a loss alone, whose differences are small."""
LOSS_ROWS = ("none", "kernel", "feature", "both")
LAMBDAS = (1e-3, 1e-4, 1e-5)
THETAS = (1e-2, 1e-3, 1e-4)
HELD_OUT = 10_000
SCATTERED = 2000
"""Test images whose features are compared."""
CHOOSING_SEED = 0
"""Of the runs on held-out images; none of `SEEDS`."""


def main() -> int:
    """Train what is missing, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablation", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "ablation")
    parser.add_argument("--limit", type=int, default=5000, help="training images")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at a time")
    options = parser.parse_args()
    base = Experiment.read(FLOW)
    held_out = replace(base, held_out=HELD_OUT, seed=CHOOSING_SEED, theta=0.0)

    by_lambda = {f"lambda_{v:g}": replace(held_out, lam=v) for v in LAMBDAS}
    chosen = _best(_train(by_lambda, options))
    lam = by_lambda[chosen].lam
    by_theta = {f"theta_{v:g}": replace(held_out, lam=lam, theta=v) for v in THETAS}
    theta = by_theta[_best(_train(by_theta, options))].theta

    variants = _variants(replace(base, lam=lam, theta=theta))
    runs = {
        f"{name}_{seed}": replace(variant, seed=seed)
        for seed in SEEDS + MORE_SEEDS
        for name, (_, variant) in variants.items()
        if seed in _seeds(name)
    }
    folders = _train(runs, options)
    table = _table({n: text for n, (text, _) in variants.items()}, folders)
    choice = _choice({**by_lambda, **by_theta}, options.out)
    head, _, tail = PAGE.read_text().partition(MARK)
    tail = tail.partition(MARK)[2]
    text = "\n".join([*choice, "", *table])
    write_atomically(PAGE, f"{head}{MARK}\n\n{text}\n\n{MARK}{tail}".encode())
    print(text)
    return 0


def _seeds(name: str) -> tuple[int, ...]:
    return SEEDS + MORE_SEEDS if name in LOSS_ROWS else SEEDS


def _variants(both: Experiment) -> dict[str, tuple[str, Experiment]]:
    """Return what is compared: a name for the folder, one for the table, and the experiment."""

    def method(name: str) -> Experiment:
        return replace(both, options={**both.options, "method": name}, lam=0.0, theta=0.0)

    hardware = {**both.options, "form": "hardware"}
    return {
        "none": ("neither loss", replace(both, lam=0.0, theta=0.0)),
        "kernel": ("kernel loss", replace(both, theta=0.0)),
        "feature": ("feature loss", replace(both, lam=0.0)),
        "both": ("both (BONN)", both),
        "hardware": ("both, hardware form", replace(both, options=hardware)),
        "xnor": ("XNOR-Net", method("xnor")),
        "bnn": ("plain BNN", method("bnn")),
        "bireal": ("Bi-Real", method("bireal")),
        "react": ("ReActNet's shifts", method("react")),
        "float": ("full precision", method("float")),
    }


def _train(runs: dict[str, Experiment], options: argparse.Namespace) -> dict[str, Path]:
    """Train every run that is not finished, so many at a time; return the folders."""

    def train(name: str) -> None:
        flow, out = options.out / f"{name}.toml", options.out / name
        write_atomically(flow, runs[name].toml().encode())
        # One thread each: on few cores, two trainings side by side are faster than two threads.
        command = [sys.executable, "-m", "bonn_hw.cli", "train", str(flow), "--out", str(out)]
        command += ["--limit", str(options.limit)]
        command += ["--resume"] if (out / "experiment.toml").exists() else []
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{name}: {done.stderr}")
        print(f"{name}: {_accuracy(out):.2%}", flush=True)

    missing = [name for name, run in runs.items() if not _finished(options.out / name, run)]
    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(train, missing))
    return {name: options.out / name for name in runs}


def _finished(out: Path, experiment: Experiment) -> bool:
    if not (out / METRICS).exists():
        return False
    return len(json.loads((out / METRICS).read_text())["epochs"]) == experiment.all_epochs


def _accuracy(out: Path) -> float:
    return float(json.loads((out / METRICS).read_text())["accuracy"])


def _best(folders: dict[str, Path]) -> str:
    return max(folders, key=lambda name: _accuracy(folders[name]))


def _shape(out: Path, name: str) -> float | None:
    """Return a statistic of the kernels at the end, median over the 1-bit layers."""
    layers = json.loads((out / KERNELS).read_text())["epochs"][-1]["layers"].values()
    return float(np.median([layer[name] for layer in layers])) if layers else None


@torch.inference_mode()
def _scatter(out: Path) -> float:
    """Return the features' variance within classes over that between them, on test images."""
    checkpoint = Checkpoint.load(out)
    test = checkpoint.test_set(SCATTERED)
    parts = torch.from_numpy(test.images).split(250)
    features = torch.cat([checkpoint.network.embed(part) for part in parts])
    labels = torch.from_numpy(test.labels)
    centres = torch.stack([features[labels == k].mean(0) for k in range(len(test.classes))])
    within = (features - centres[labels]).square().sum(1).mean()
    return float(within / (centres - features.mean(0)).square().sum(1).mean())


def _choice(runs: Iterable[str], out: Path) -> list[str]:
    found = [f"{name.replace('_', ' ')}: {_accuracy(out / name):.2%}" for name in runs]
    return [
        f"On {HELD_OUT:,} held-out training images (seed {CHOOSING_SEED}; theta with the lambda "
        f"chosen): {', '.join(found)}."
    ]


def _table(texts: dict[str, str], folders: dict[str, Path]) -> list[str]:
    """Return the lines of a table: mean, spread, and the paired t-test against neither loss."""
    rows = [
        "| WRN-22 16-16-32-64 | test accuracy, mean | standard deviation | by seed | "
        "against neither loss, same seeds (paired t-test) | valley | bimodality | scatter |",
        "|---|---|---|---|---|---|---|---|",
    ]

    def accuracies(name: str, seeds: tuple[int, ...]) -> np.ndarray:
        return 100 * np.array([_accuracy(folders[f"{name}_{seed}"]) for seed in seeds])

    for name, text in texts.items():
        seeds = _seeds(name)
        values, control = accuracies(name, seeds), accuracies("none", seeds)
        test = "–"
        if name != "none":
            p = stats.ttest_rel(values, control).pvalue
            test = f"{(values - control).mean():+.2f} points, p = {p:.3f}"
        shapes = []
        for statistic in ("valley", "bimodality"):
            kernels = [_shape(folders[f"{name}_{seed}"], statistic) for seed in seeds]
            shapes.append("–" if None in kernels else f"{np.mean(kernels):.2f}")
        scatter = np.mean([_scatter(folders[f"{name}_{seed}"]) for seed in seeds])
        each = ", ".join(f"{v:.2f}" for v in values)
        rows.append(
            f"| {text} | {values.mean():.2f} % | {values.std(ddof=1):.2f} | {each} | {test} | "
            f"{' | '.join(shapes)} | {scatter:.3f} |"
        )
    return rows


if __name__ == "__main__":
    sys.exit(main())
