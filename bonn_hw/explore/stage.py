# SPDX-License-Identifier: BSD-3-Clause
"""One training of a search, in whichever process or machine it runs."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

from bonn_hw.errors import UserError


@dataclass(frozen=True)
class Job:
    """A training: an experiment and its run folder, an absolute path that every worker sees.

    Attributes
    ----------
    files
        Folder of the user's own files, also one that every worker sees.
    """

    experiment: str
    folder: str
    files: str = ""


@dataclass(frozen=True)
class Trained:
    """The accuracy on the held-out images after the last epoch, and the seconds that it took."""

    accuracy: float
    seconds: float


def train_stage(job: Job) -> Trained:
    """Train, or go on after the last whole epoch that an earlier worker left in the folder.

    Raises
    ------
    UserError
        If the training fails for this experiment, such as for a loss that is not finite.
    """
    from bonn_hw.nn.training.experiment import Experiment  # imports torch
    from bonn_hw.nn.training.run_files import EXPERIMENT, METRICS
    from bonn_hw.nn.training.train import train

    start, folder = time.monotonic(), Path(job.folder)
    parsed = Experiment.parse(job.experiment, str(folder / EXPERIMENT))
    experiment = replace(parsed, folder=job.files)
    train(experiment, folder, resume=(folder / EXPERIMENT).is_file(), progress=False)
    accuracy = json.loads((folder / METRICS).read_text())["accuracy"]
    if accuracy is None:
        raise UserError(f"{folder}: the run was not tested; delete it and explore again")
    return Trained(float(accuracy), time.monotonic() - start)
