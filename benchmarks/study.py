# SPDX-License-Identifier: BSD-3-Clause
"""Trainings that a table compares: what is missing is trained, what is there is kept.

Every run is a folder, so that a study can be interrupted at any time and gone on with. A table of
what is there so far can always be written.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bonn_hw.marked_page import rewritten
from bonn_hw.nn.training.experiment import Experiment
from bonn_hw.nn.training.run_files import EXPERIMENT, METRICS, write_atomically

ROOT = Path(__file__).parent.parent
DIVERGED = "diverged.txt"
"""In the folder of a run whose loss or weights were not finite: the message."""


@dataclass(frozen=True)
class Study:
    """Where the runs are, and how they are trained.

    Attributes
    ----------
    out
        A folder with a run folder for each name, and its experiment beside it.
    jobs
        Trainings at a time, each with one thread.
    limit
        Training images; None: all.
    minutes
        After this, no other training is begun, and those that run are interrupted after their
        epoch.
    """

    out: Path
    jobs: int
    limit: int | None = None
    minutes: float = float("inf")
    began: float = field(default_factory=time.monotonic)

    def train(self, runs: Mapping[str, Experiment]) -> None:
        """Train the runs that are not finished, in their order."""
        missing = [name for name, run in runs.items() if self.accuracy(name, run) is None]
        with ThreadPoolExecutor(self.jobs) as pool:
            list(pool.map(lambda name: self._train(name, runs[name]), missing))

    def accuracy(self, name: str, experiment: Experiment) -> float | None:
        """The accuracy at the end, 0 to 1; None if the run is not finished, 0 if it diverged."""
        if (self.folder(name) / DIVERGED).exists():
            return 0.0
        metrics = self._metrics(name)
        if metrics is None or len(metrics["epochs"]) < experiment.all_epochs:
            return None
        return float(metrics["accuracy"])

    def folder(self, name: str) -> Path:
        """The run folder of a name."""
        return self.out / name

    def _train(self, name: str, experiment: Experiment) -> None:
        left = 60 * self.minutes - (time.monotonic() - self.began)
        if left <= 0:
            return
        flow, out = self.out / f"{name}.toml", self.folder(name)
        write_atomically(flow, experiment.toml().encode())
        command = [sys.executable, "-m", "bonn_hw.cli", "train", str(flow), "--out", str(out)]
        command += ["--limit", str(self.limit)] if self.limit else []
        command += ["--resume"] if (out / EXPERIMENT).exists() else []
        # One thread each: on few cores, two trainings side by side are faster than two threads.
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        try:
            done = subprocess.run(
                command,
                env=environment,
                capture_output=True,
                text=True,
                timeout=None if left == float("inf") else left,
            )
        except subprocess.TimeoutExpired:
            return
        if done.returncode and "must be finite" in done.stderr:
            write_atomically(out / DIVERGED, done.stderr.encode())
        elif done.returncode:
            raise RuntimeError(f"{name}: {done.stderr}")
        print(f"{name}: {self.accuracy(name, experiment):.2%}", flush=True)

    def _metrics(self, name: str) -> dict[str, Any] | None:
        path = self.folder(name) / METRICS
        return json.loads(path.read_text()) if path.exists() else None


def study(program: str, about: str | None, name: str, limit: int | None = None) -> Study:
    """The study that the command line asks for; its folder is build/`name` unless given."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{program}", description=about)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / name)
    parser.add_argument("--limit", type=int, default=limit, help="training images")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at a time")
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="begin no run after this; 0: table only"
    )
    return Study(**vars(parser.parse_args()))


def write_between(page: Path, mark: str, lines: list[str]) -> None:
    """Replace what stands between the two marks of a page, and print it."""
    write_atomically(page, rewritten(page.read_text(), mark, (*lines, ""), mark).encode())
    print("\n".join(lines))
