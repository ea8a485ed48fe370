# SPDX-License-Identifier: BSD-3-Clause
"""The files of a run folder: names, types of their figures, and how they are written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NotRequired, TypedDict

from bonn_hw.errors import UserError
from bonn_hw.files import file_aside

if TYPE_CHECKING:  # it imports torch, which figures of a run need not
    from bonn_hw.nn.training.calibration import Calibration

EXPERIMENT = "experiment.toml"
CHECKPOINT = "last.ckpt"
METRICS = "metrics.json"
"""Files of a run folder: the experiment, the last complete epoch, the figures per epoch."""
WEIGHTS = "weights.npz"
"""The file of a released run that replaces its checkpoint."""


class EpochFigures(TypedDict):
    """The figures of one epoch in `METRICS`; accuracies from 0 to 1, None if it was not tested.

    `seconds` are in the table only, `calibration` is that of the last epoch and stands beside them.
    """

    epoch: int
    phase: str
    loss: float
    train_accuracy: float
    test_accuracy: float | None
    seconds: NotRequired[float]
    calibration: NotRequired[Calibration]
    gamma: NotRequired[float]
    apart: NotRequired[float]


def write_atomically(path: Path, payload: bytes) -> None:
    """Write `payload` to a temporary file and rename it to `path`; create the folder if needed.

    Raises
    ------
    UserError
        If the file cannot be written; `path` is then unchanged.
    """
    try:
        with file_aside(path) as partial:
            partial.write_bytes(payload)
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written ({error.strerror}); free the space or name another place"
        ) from error
