# SPDX-License-Identifier: BSD-3-Clause
"""Logs of a training for TensorBoard, beside the figures of its run (package tensorboardX)."""

from __future__ import annotations

import warnings
from pathlib import Path

from bonn_hw import extras
from bonn_hw.errors import UserError
from bonn_hw.nn.training.run_writer import training_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import lightning.pytorch as lightning

FOLDER = "tensorboard"
CURVES = {"loss": "loss", "train_accuracy": "accuracy/train", "test_accuracy": "accuracy/test"}


class TensorBoard(lightning.Callback):
    """Writes loss, accuracies and mean |X| of each 1-bit layer after each epoch.

    It comes behind the `RunWriter`, which finishes the epoch. A resumed training goes on behind
    its last epoch.
    """

    def __init__(self, out: Path) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ModuleNotFoundError as error:
            raise UserError(extras.missing("train: --tensorboard", "tensorboardX")) from error
        self._writer = SummaryWriter(str(out / FOLDER))

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        """Write the figures of the epoch."""
        if not trainer.is_global_zero:
            return
        training = training_of(module)
        last = training.history[-1]
        for name, curve in CURVES.items():
            value = last.get(name)
            if value is not None:
                self._writer.add_scalar(curve, value, last["epoch"])
        for layer, figures in training.kernels[-1]["layers"].items():
            self._writer.add_scalar(f"mean_abs/{layer}", figures["mean_abs"], last["epoch"])
        self._writer.flush()

    def teardown(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, stage: str
    ) -> None:
        """Close the file, also after Ctrl-C."""
        self._writer.close()
