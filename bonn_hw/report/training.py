# SPDX-License-Identifier: BSD-3-Clause
"""The figures of a training, read from its run folder without PyTorch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bonn_hw.report.values import Epoch, Training

METRICS = "metrics.json"  # as `nn.training.run_files` names it


def of_run(run: Path | None) -> Training | None:
    """The epochs of a run; None if there is no run, or it has no figures."""
    if run is None:
        return None
    try:
        metrics: Any = json.loads((run / METRICS).read_text())
        epochs = tuple(
            Epoch(
                loss=float(one["loss"]),
                train_accuracy=one.get("train_accuracy"),
                test_accuracy=one.get("test_accuracy"),
            )
            for one in metrics["epochs"]
        )
        network = str(metrics["experiment"]["network"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # a checkpoint alone is enough for a build
    return Training(network=network, tested=str(metrics.get("tested", "test")), epochs=epochs)
