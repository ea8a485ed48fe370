# SPDX-License-Identifier: BSD-3-Clause
"""Reads and checks the figures of a run folder, epoch by epoch, for the drawings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bonn_hw.errors import UserError
from bonn_hw.nn.training.kernel_statistics import KERNELS, EpochStatistics
from bonn_hw.nn.training.run_files import METRICS, EpochFigures

Statistic = Literal["mean_abs", "bimodality", "pull"]
"""What is drawn of a layer's statistics."""


@dataclass(frozen=True)
class TrainingRun:
    """What the figures need of a run folder.

    Attributes
    ----------
    label
        For titles and legends.
    layers
        Names of the 1-bit layers, in the network's order.
    kernels
        Statistics by epoch, ``{"epoch": int, "layers": {name: statistics}}``; the first before
        training.
    metrics
        Loss and accuracies by epoch; the first after one epoch.
    """

    label: str
    layers: tuple[str, ...]
    kernels: tuple[EpochStatistics, ...]
    metrics: tuple[EpochFigures, ...]

    @classmethod
    def load(cls, folder: Path, label: str) -> TrainingRun:
        """Read a run folder, to be called `label`.

        Raises
        ------
        UserError
            If it is not a run folder, is of an older version, is damaged or has nothing to draw.
        """
        if not folder.is_dir():
            raise UserError(
                f"{folder}: no such run folder; train first with "
                f"`bonn-hw train EXPERIMENT.toml --out {folder}`"
            )
        if not (folder / METRICS).is_file():
            raise UserError(
                f"{folder}: not a run folder, it has no {METRICS}; name a folder that was given "
                "to `bonn-hw train --out`"
            )
        if not (folder / KERNELS).is_file():
            raise UserError(
                f"{folder}: has no {KERNELS}, so it was trained by an older version; train again, "
                "into a new folder"
            )
        metrics: tuple[EpochFigures, ...] = _epochs(
            folder / METRICS, ("epoch", "train_accuracy", "test_accuracy")
        )
        kernels: tuple[EpochStatistics, ...] = _epochs(folder / KERNELS, ("epoch", "layers"))
        layers = tuple(kernels[0]["layers"]) if kernels else ()
        if kernels and not layers:
            raise UserError(
                f"{folder}: its network has no 1-bit layers, so there are no kernels to draw; "
                "plot a run whose network has some"
            )
        if not metrics or not kernels:
            raise UserError(
                f"{folder}: no epoch is finished, so there is nothing to draw; go on with "
                f"`bonn-hw train EXPERIMENT.toml --out {folder} --resume`"
            )
        _check_statistics(folder / KERNELS, layers, kernels)
        return cls(label, layers, kernels, metrics)

    def values(self, name: Statistic, layer: str) -> NDArray[np.float64]:
        """One statistic of a layer over the epochs, NaN where it has none."""
        values = [epoch["layers"][layer].get(name) for epoch in self.kernels]
        return np.array([np.nan if v is None else v for v in values], float)


def _epochs(path: Path, keys: tuple[str, ...]) -> tuple[Any, ...]:
    try:
        epochs = json.loads(path.read_text())["epochs"]
        for epoch in epochs:
            for key in keys:
                epoch[key]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, error) from error
    return tuple(epochs)


def _check_statistics(path: Path, layers: tuple[str, ...], kernels: tuple[Any, ...]) -> None:
    try:
        for epoch in kernels:
            if tuple(epoch["layers"]) != layers:
                raise ValueError(f"epoch {epoch['epoch']} has other layers than the first")
            for layer in layers:
                for key in ("limit", "counts", "mean_abs", "bimodality"):
                    epoch["layers"][layer][key]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> UserError:
    reason = f"{error} is missing" if isinstance(error, KeyError) else error
    return UserError(
        f"{path}: not as training writes it ({reason}); it was cut short or edited: train again, "
        "into a new folder"
    )
