# SPDX-License-Identifier: BSD-3-Clause
"""A search from its space file to the folder with its front."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bonn_hw import files
from bonn_hw.errors import Interrupted, UserError
from bonn_hw.explore import listing, result
from bonn_hw.explore.points import Result
from bonn_hw.explore.search import SearchRun, train_seeds
from bonn_hw.explore.space import Candidate, Space
from bonn_hw.explore.space_file import read_space
from bonn_hw.explore.study import Study
from bonn_hw.explore.workers import workers
from bonn_hw.explore.zoo_points import zoo_points
from bonn_hw.nn.own.source import keep
from bonn_hw.progress import Progress, silent

if TYPE_CHECKING:
    from bonn_hw.nn.data.image_folder import ImageFolder
    from bonn_hw.nn.data.labelled_images import Dataset

SAMPLE = 200  # candidates of which one must fit, at the start
OWN_SAMPLE = 20  # the same of an own network, which takes seconds for each


def explore(
    path: Path,
    out: Path,
    jobs: int = 1,
    cluster: str | None = None,
    sampler: str | None = None,
    storage: str | None = None,
    progress: Progress = silent,
) -> Result:
    """As `explore_space`, of a space file."""
    space = read_space(path)
    return explore_space(space, str(path), out, jobs, cluster, sampler, storage, progress)


def explore_space(
    space: Space,
    source: str,
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
    source
        Names the space in messages.
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
    if sampler is not None:
        space = replace(space, search=replace(space.search, sampler=sampler))
    out = out.resolve()
    data = labelled(space, source)
    count = OWN_SAMPLE if space.own_network else SAMPLE
    sample = listing.sample(space, count)
    fitting = listing.refuse_unless_one_fits(space, sample, source, progress)
    check_together(fitting, data, source)
    with files.writing(out):
        out.mkdir(parents=True, exist_ok=True)
    keep(space.own_files, space.folder, out)
    space = replace(space, folder=str(out))  # workers and later trainings use the copies
    study = Study(space, out, storage)
    try:
        with workers(jobs, cluster) as crew:
            SearchRun(space, study, out, crew, progress).run()
            train_seeds(space, study, out, crew, progress)
    except KeyboardInterrupt as stop:
        trained = study.counts().trained
        raise Interrupted(
            f"{out}: interrupted after {trained} candidates; go on with the same command"
        ) from stop
    found = result.result_of(space, study)
    result.write(found, study, out)  # the front is there before anything beside it
    progress("folding the zoo's networks")
    found = replace(found, zoo=zoo_points(space))
    result.write(found, study, out)
    return found


def labelled(space: Space, source: str) -> Dataset | ImageFolder:
    """The training images without those that are held out, read before anything is folded.

    Raises
    ------
    UserError
        If they cannot be read, have no labels, or are of one class.
    """
    from bonn_hw.nn.training.experiment import Experiment

    first = space.draw(lambda name, values: values[0])
    data = replace(Experiment.parse(first.toml(), source), folder=space.folder).data("train")
    if len(data.classes) < 2:
        raise UserError(
            f"{source}: data set {first.tables['data']['name']} has no labels of two classes or "
            "more, which accuracy needs; name a data set with labels"
        )
    return data


def check_together(candidate: Candidate, data: Dataset | ImageFolder, source: str) -> None:
    """Refuse networks that take other images or classes than the data have.

    Raises
    ------
    UserError
        As a training would say it.
    """
    from bonn_hw.nn.training.admission import admit  # imports torch
    from bonn_hw.nn.training.experiment import Experiment
    from bonn_hw.nn.training.network_of import network_of

    experiment = Experiment.parse(candidate.toml(), source)
    network = network_of(candidate.network, candidate.options, candidate.folder)
    try:
        admit(experiment, network, data)
    except UserError as error:
        raise UserError(f"{source}: {str(error).removeprefix('experiment: ')}") from error
