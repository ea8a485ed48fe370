# SPDX-License-Identifier: BSD-3-Clause
"""Writing files so that a reader finds the old or the new content, never half of it."""

from __future__ import annotations

import os
from pathlib import Path

from bonn_hw.errors import UserError

EXPERIMENT = "experiment.toml"
CHECKPOINT = "last.ckpt"
METRICS = "metrics.json"
"""Files of a run folder: what was asked for, the last whole epoch, the figures by epoch."""
WEIGHTS = "weights.npz"
"""The file of a released run that stands for its checkpoint."""


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
