# SPDX-License-Identifier: BSD-3-Clause
"""A search from its space file to the folder with its front."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bonn_hw import files
from bonn_hw.errors import Interrupted, UserError
from bonn_hw.explore import listing, result
from bonn_hw.explore.points import Result
from bonn_hw.explore.search import SearchRun, train_seeds
from bonn_hw.explore.space import Space
from bonn_hw.explore.space_file import read_space
from bonn_hw.explore.study import Study
from bonn_hw.explore.workers import workers
from bonn_hw.explore.zoo_points import zoo_points
from bonn_hw.progress import Progress, silent

SAMPLE = 200  # candidates that are folded at the start, to see whether any fits


def explore(
    path: Path,
    out: Path,
    jobs: int = 1,
    cluster: str | None = None,
    sampler: str | None = None,
    storage: str | None = None,
    progress: Progress = silent,
) -> Result:
    """Search, or go on with a search in `out`; write the front, its points and the page.

    Parameters
    ----------
    jobs
        Trainings at the same time, each in a process with one thread; 1: in this process.
    cluster
        Address of a Dask scheduler whose workers see the same folders.
    sampler
        Instead of the file's: ``random`` is the baseline.
    storage
        URL of a database for the study; None: SQLite in `out`.

    Raises
    ------
    UserError
        For bad input, before anything is trained; `Interrupted` after Ctrl-C.
    """
    space = read_space(path)
    if sampler is not None:
        space = replace(space, search=replace(space.search, sampler=sampler))
    out = out.resolve()
    check_data(space, str(path))
    progress("folding a sample")
    listed = listing.fold_all(space, listing.sample(space, SAMPLE))
    listing.refuse_if_none_fits(listed, space, str(path))
    with files.writing(out):
        out.mkdir(parents=True, exist_ok=True)
    study = Study(space, out, storage)
    try:
        with workers(jobs, cluster) as crew:
            SearchRun(space, study, out, crew, progress).run()
            train_seeds(space, study, out, crew, progress)
    except KeyboardInterrupt as stop:
        trained = study.counts()["trained"]
        raise Interrupted(
            f"{out}: interrupted after {trained} candidates; go on with the same command"
        ) from stop
    found = result.result_of(space, study)
    result.write(found, study, out)  # the front is there before anything beside it
    progress("folding the zoo's networks")
    found = replace(found, zoo=zoo_points(space))
    result.write(found, study, out)
    return found


def check_data(space: Space, source: str) -> None:
    """Refuse data without labels, or of one class, before anything is folded.

    Raises
    ------
    UserError
        Also if the data cannot be read.
    """
    from bonn_hw.nn.training.experiment import Experiment

    first = space.draw(lambda name, values: values[0])
    data = Experiment.parse(first.toml(), source).data("train")
    if len(data.classes) < 2:
        raise UserError(
            f"{source}: data set {first.tables['data']['name']} has no labels of two classes or "
            "more, which accuracy needs; name a data set with labels"
        )
