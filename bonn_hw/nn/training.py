# SPDX-License-Identifier: BSD-3-Clause
"""Experiment -> run folder, by PyTorch Lightning: seeded, repeatable, resumable.

A run folder holds ``experiment.toml`` (what was asked for), ``last.ckpt`` (after every epoch),
``metrics.json`` and ``metrics.csv``. On a CPU, a resumed training ends bit for bit like an
uninterrupted one with the same number of threads.
"""

import logging
import math
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from bonn_hw.errors import UserError
from bonn_hw.nn.augment import EpochBatches
from bonn_hw.nn.checkpoint import CHECKPOINT, Checkpoint, read_state
from bonn_hw.nn.data import Dataset
from bonn_hw.nn.experiment import Experiment
from bonn_hw.nn.networks import Network, build, clip_latent_weights
from bonn_hw.nn.run_log import RunLog

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import lightning.pytorch as lightning


class Interrupted(UserError):
    """Ctrl-C ended a training; the run folder holds the last finished epoch."""


def objective(network: Network, logits: Tensor, labels: Tensor) -> Tensor:
    """Return the scalar that one step minimises.

    The only place where a term on weights or features joins the loss of the task.
    """
    return functional.cross_entropy(logits, labels)


class Training(lightning.LightningModule):
    """The steps of one experiment."""

    def __init__(self, experiment: Experiment, network: Network, train: Dataset, test: Dataset):
        super().__init__()
        self.experiment = experiment
        self.network = network
        self._train, self._test = (
            (torch.from_numpy(d.images), torch.from_numpy(d.labels)) for d in (train, test)
        )
        self.history: list[dict] = []
        self._sums = torch.zeros(3, dtype=torch.float64)

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole training."""
        return self.experiment.epochs * len(self._batches(0))

    def train_dataloader(self) -> EpochBatches:
        """Return this epoch's batches."""
        return self._batches(self.current_epoch)

    def val_dataloader(self) -> DataLoader:
        """Return the test split in batches."""
        return DataLoader(TensorDataset(*self._test), batch_size=250)

    def configure_optimizers(self) -> dict:
        """Return the optimiser and its schedule, a function of the step alone."""
        experiment = self.experiment
        kind = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[experiment.optimiser]
        momentum = {"momentum": 0.9} if experiment.optimiser == "sgd" else {}
        optimiser = kind(self.network.parameters(), lr=experiment.lr, **momentum)
        factor = {
            "constant": lambda step: 1.0,
            "cosine": lambda step: 0.5 * (1 + math.cos(math.pi * min(1, step / self.steps))),
            "linear": lambda step: max(0.0, 1 - step / self.steps),
        }[experiment.schedule]
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def on_train_epoch_start(self) -> None:
        """Seed what a layer might draw, so that each epoch depends on its number alone."""
        torch.manual_seed(self.experiment.seed * 1_000_003 + self.current_epoch)
        self._sums.zero_()

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """Return the loss of one batch."""
        images, labels = batch
        logits = self.network(images)
        loss = objective(self.network, logits, labels)
        if not torch.isfinite(loss):
            raise UserError(
                f"training: the loss is {loss.item()} in epoch {self.current_epoch + 1}, step "
                f"{index + 1}; it must be finite: train again, into a new folder, with a "
                f"lower lr than {self.experiment.lr}"
            )
        hits = (logits.argmax(1) == labels).sum()
        self._sums += torch.tensor([loss.item() * len(labels), hits.item(), len(labels)])
        return loss

    def on_train_batch_end(self, outputs: object, batch: object, index: int) -> None:
        """Keep the latent weights where the sign still answers to small steps."""
        clip_latent_weights(self.network)

    def on_validation_epoch_start(self) -> None:
        """Count the hits anew."""
        self._hits = 0

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        """Count the hits of one batch."""
        images, labels = batch
        self._hits += int((self.network(images).argmax(1) == labels).sum())

    def on_validation_epoch_end(self) -> None:
        """Add the epoch to the history."""
        loss, hits, seen = self._sums.tolist()
        self.history.append(
            {
                "epoch": self.current_epoch + 1,
                "loss": loss / seen,
                "train_accuracy": hits / seen,
                "test_accuracy": self._hits / len(self._test[1]),
            }
        )

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        """Keep the history with the weights that it describes."""
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        """Take the history up again."""
        self.history = list(checkpoint["history"])

    def _batches(self, epoch: int) -> EpochBatches:
        e = self.experiment
        return EpochBatches(*self._train, e.batch, e.augment, e.seed, epoch)


def train(
    experiment: str | Path | Experiment,
    out: str | Path,
    resume: bool = False,
    progress: bool = True,
    limit: int | None = None,
) -> Checkpoint:
    """Train, and return the network of the last epoch.

    Parameters
    ----------
    experiment
        A TOML file or its value.
    out
        The run folder; must not hold a run, unless `resume`.
    resume
        Go on after the last finished epoch of `out`.
    progress
        Show a progress bar and a line for each epoch.
    limit
        Train with the first `limit` images only (all are tested).

    Raises
    ------
    UserError
        If an argument or the data is wrong, the loss is not finite, or `Interrupted` by Ctrl-C.
    """
    out = Path(out)
    if not isinstance(experiment, Experiment):
        experiment = Experiment.read(experiment)
    if limit is not None and limit < 2:
        raise UserError(f"limit: must be at least 2 images, not {limit}")
    log = RunLog(out, experiment, limit, progress)
    log.admit(resume)
    torch.manual_seed(experiment.seed)
    network = build(experiment.network, **experiment.options)
    train_set, test_set = experiment.data("train", limit), experiment.data("test")
    _fits(experiment, network, train_set)
    log.begin()
    saved = out / CHECKPOINT
    resumed = resume and saved.exists()
    if resumed:
        read_state(saved)
    module = Training(experiment, network, train_set, test_set)
    with _quiet(), _uninterrupted_handler():
        trainer = lightning.Trainer(
            accelerator="auto",
            devices=1,
            max_epochs=experiment.epochs,
            callbacks=[log],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            reload_dataloaders_every_n_epochs=1,
            default_root_dir=out,
        )
        try:
            trainer.fit(module, ckpt_path=saved if resumed else None, weights_only=True)
        except SystemExit as stop:
            # Lightning turns Ctrl-C into an exit of its own.
            raise Interrupted(
                f"{out}: interrupted after {log.finished} of {experiment.epochs} epochs; "
                f"go on with `bonn-hw train FLOW.toml --out {out} --resume`"
            ) from stop
    # Again, in case an earlier process was stopped between its last checkpoint and its figures.
    log.write_figures(module.history)
    return Checkpoint.load(out)


def _fits(experiment: Experiment, network: Network, dataset: Dataset) -> None:
    shape = dataset.images.shape[1:]
    if shape != network.input_shape:
        raise UserError(
            f"experiment: network {experiment.network} takes images {network.input_shape}, but "
            f"{experiment.dataset} with transform {experiment.transform} gives {shape} (C, H, W); "
            "set in_channels and the size in [network], or transform in [data]"
        )
    if len(dataset.classes) != network.classes:
        raise UserError(
            f"experiment: network {experiment.network} has {network.classes} classes, but "
            f"{experiment.dataset} has {len(dataset.classes)}; set [network] classes"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Lightning's advice on loaders and hardware, which is not the user's to follow."""
    loggers = [logging.getLogger(n) for n in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _uninterrupted_handler() -> Iterator[None]:
    """Put the handler of Ctrl-C back, which Lightning leaves switched off."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
