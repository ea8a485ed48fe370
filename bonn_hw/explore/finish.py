# SPDX-License-Identifier: BSD-3-Clause
"""From a point of a front to a verified accelerator: train, export, compile, simulate, compare."""

from __future__ import annotations

from pathlib import Path

from bonn_hw import pipeline, verification
from bonn_hw.errors import UserError
from bonn_hw.explore.gates import narrow
from bonn_hw.explore.hardware import CHAIN
from bonn_hw.explore.result import FOLDING, FRONT, POINTS
from bonn_hw.explore.rows import FrontRow
from bonn_hw.explore.space import Goal
from bonn_hw.images import Images
from bonn_hw.nn.training.run_files import EXPERIMENT
from bonn_hw.progress import Progress, silent


def finish(
    folder: Path,
    point: int,
    goal: Goal,
    count: int | None = None,
    jobs: int = 1,
    progress: Progress = silent,
    gates: float | None = None,
) -> verification.Outcome:
    """Make point `point` of the front in `folder`; its run and build are in its folder.

    A run that is there already is used, or gone on with.

    Parameters
    ----------
    gates
        Narrow the trained network first, with gates of this strength (`explore.gates`); run and
        build are then in the folder ``gates`` of the point.
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
    from bonn_hw.nn.export_run import export_run  # imports torch
    from bonn_hw.nn.training.checkpoint import Checkpoint
    from bonn_hw.nn.training.experiment import Experiment
    from bonn_hw.nn.training.train import train

    run, model, build = place / "run", place / "model.onnx", place / "build"
    experiment = Experiment.read(place / EXPERIMENT)
    progress("training")
    train(experiment, run, resume=(run / EXPERIMENT).is_file(), progress=False)
    if gates is not None:
        first, place = run, place / "gates"
        run, model, build = place / "run", place / "model.onnx", place / "build"
        place.mkdir(exist_ok=True)
        narrow(first, run, goal, gates, progress)
    progress("exporting")
    export_run(run, model)
    progress("compiling")
    # Only a chain has the stages that it was folded with; others depend on their training.
    folding = place / FOLDING if experiment.network == CHAIN and gates is None else None
    pipeline.compile_model(model, goal.target, build, folding, run, progress, top="accelerator")
    progress("reading the test images")
    trained, made = Checkpoint.load(run), pipeline.Build.load(build)
    tests = trained.test_set(count)
    images, own = Images(tests.images, tests.labels), verification.own_network(trained)
    if own is None:
        return verification.simulate_images(made, images, trained, jobs, progress=progress)
    progress("PyTorch")
    images = verification.with_decisions(made, images, own)
    return verification.simulate_images(made, images, None, jobs, progress=progress)


def _no_point(folder: Path, point: int) -> str:
    if not (folder / FRONT).is_file():
        return f"{folder}: no front; search first, with `bonn-hw explore SPACE --out {folder}`"
    count = len(FrontRow.read(folder / FRONT).points)
    return f"{folder}: the front has no point {point}; choose one from 1 to {count}"
