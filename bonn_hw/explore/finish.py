# SPDX-License-Identifier: BSD-3-Clause
"""From a point of a front to a verified accelerator: train, export, compile, simulate, compare."""

from __future__ import annotations

from pathlib import Path

from bonn_hw import pipeline, verification
from bonn_hw.errors import UserError
from bonn_hw.explore.hardware import CHAIN
from bonn_hw.explore.result import FOLDING, FRONT, POINTS
from bonn_hw.explore.rows import FrontRow
from bonn_hw.explore.space import Goal
from bonn_hw.images import ImageSource
from bonn_hw.nn.training.run_files import EXPERIMENT
from bonn_hw.progress import Progress, silent


def finish(
    folder: Path,
    point: int,
    goal: Goal,
    count: int | None = None,
    jobs: int = 1,
    progress: Progress = silent,
) -> verification.Outcome:
    """Make point `point` of the front in `folder`; its run and build are in its folder.

    A run that is there already is used, or gone on with.

    Parameters
    ----------
    count
        Test images that are simulated; None: all.

    Raises
    ------
    UserError
        If there is no such point, or a step fails.
    """
    place = folder / POINTS / str(point)
    if not (place / EXPERIMENT).is_file():
        raise UserError(_no_point(folder, point))
    from bonn_hw.nn.export import export  # imports torch
    from bonn_hw.nn.training.experiment import Experiment
    from bonn_hw.nn.training.train import train

    run, model, build = place / "run", place / "model.onnx", place / "build"
    experiment = Experiment.read(place / EXPERIMENT)
    progress("training")
    train(experiment, run, resume=(run / EXPERIMENT).is_file(), progress=False)
    progress("exporting")
    export(run, model)
    progress("compiling")
    # Only a chain has the stages that it was folded with; others depend on their training.
    folding = place / FOLDING if experiment.network == CHAIN else None
    pipeline.compile_model(model, goal.target, build, folding, run, progress, top="accelerator")
    source = ImageSource(dataset=experiment.dataset, count=count)
    made = pipeline.Build.load(build)
    return verification.simulate_and_compare(made, source, run, jobs, progress=progress)


def _no_point(folder: Path, point: int) -> str:
    if not (folder / FRONT).is_file():
        return f"{folder}: no front; search first, with `bonn-hw explore SPACE --out {folder}`"
    count = len(FrontRow.read(folder / FRONT).points)
    return f"{folder}: the front has no point {point}; choose one from 1 to {count}"
