# SPDX-License-Identifier: BSD-3-Clause
"""The files of a run folder: their names, their figures, and writing them whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NotRequired, TypedDict

from bonn_hw.errors import UserError

EXPERIMENT = "experiment.toml"
CHECKPOINT = "last.ckpt"
METRICS = "metrics.json"
"""Files of a run folder: what was asked for, the last whole epoch, the figures by epoch."""
WEIGHTS = "weights.npz"
"""The file of a released run that stands for its checkpoint."""


class EpochFigures(TypedDict):
    """A row of `METRICS`: what one epoch reached; accuracies from 0 to 1, None where untested."""

    epoch: int
    phase: str
    loss: float
    train_accuracy: float
    test_accuracy: float | None
    seconds: NotRequired[float]
    gamma: NotRequired[float]


def write_atomically(path: Path, payload: bytes) -> None:
    """Write `payload` to `path` by way of a temporary file beside it; make the folder if needed.

    Raises
    ------
    UserError
        If the file cannot be written; `path` is then as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(payload)
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written ({error.strerror}); free the space or name another place"
        ) from error
    finally:
        # Also after Ctrl-C; a failure to make the folder leaves nothing to remove.
        if temporary.parent.is_dir():
            temporary.unlink(missing_ok=True)
