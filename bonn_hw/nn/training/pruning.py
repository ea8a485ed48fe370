# SPDX-License-Identifier: BSD-3-Clause
"""Prune a finished run: group similar filters, train them together, keep one per group, recover.

The pruning of BONN's journal version (Zhao et al., "Bayesian Optimized 1-Bit CNNs", IJCV 2022, doi
10.1007/s11263-021-01543-y); `filter_clustering` has the groups, their loss and
their blend, `channel_pruning` makes the smaller network.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bonn_hw.errors import Interrupted, UserError
from bonn_hw.files import fresh_folder
from bonn_hw.nn.data.image_folder import ImageFolder
from bonn_hw.nn.data.labelled_images import Dataset
from bonn_hw.nn.models.network import Network
from bonn_hw.nn.training.channel_pruning import prunable, pruned
from bonn_hw.nn.training.checkpoint import Checkpoint, TrainedCheckpoint, read_state
from bonn_hw.nn.training.experiment import Experiment
from bonn_hw.nn.training.filter_clustering import Groups
from bonn_hw.nn.training.run_files import CHECKPOINT, METRICS, EpochFigures, write_atomically
from bonn_hw.nn.training.run_writer import RunWriter, training_of
from bonn_hw.nn.training.train import fit
from bonn_hw.nn.training.training_module import TrainingModule

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import lightning.pytorch as lightning

PRUNING = "pruning.json"
"""The file of a pruned run that says how it was pruned."""
LAMBDA = 1e-4
"""Weight of the pruning loss where the run has none for its kernel loss."""


def prune(
    run: str | Path,
    out: str | Path,
    rate: float = 0.5,
    epochs: int | None = None,
    recover: int | None = None,
    progress: bool = True,
) -> TrainedCheckpoint:
    """Prune the network of a finished run into a new run; return the new network.

    Parameters
    ----------
    run, out
        The finished run folder; the new one, which must not exist.
    rate
        Share of the filters of each 1-bit layer that are kept; the classifier keeps all.
    epochs, recover
        Epochs in which the filters of a group are drawn together, and epochs of ordinary training
        after that; by default a quarter of the run's own epochs each.
    progress
        Show a progress bar and a line for each epoch.

    Raises
    ------
    UserError
        If an argument is wrong, or the run is not finished or has no 1-bit layer; `Interrupted`
        after Ctrl-C. Nothing is left at `out` then.
    """
    run, out = Path(run), Path(out)
    checkpoint, history = _admitted(run, out, rate, {"epochs": epochs, "recover": recover})
    experiment = checkpoint.experiment
    quarter = max(1, experiment.all_epochs // 4)
    drawing = _phase(experiment, epochs or quarter, "constant")
    limit = json.loads((run / METRICS).read_text()).get("limit")
    datasets = experiment.data("train", limit), experiment.data(experiment.tested)
    before = _accuracy_before(history)
    with fresh_folder(out) as folder:
        torch.manual_seed(experiment.seed)
        module = PruningModule(drawing, checkpoint.network.train(), *datasets, rate)
        together = PruningWriter(folder, drawing, limit, progress)
        if progress:
            together.announce(module.groups, before)
        _uninterrupted(module, together, run, out)
        _write_pruning(folder, rate, before, module)
        options, network = pruned(checkpoint.network, experiment, module.groups)
        schedule = "cosine" if experiment.schedule == "steps" else experiment.schedule
        smaller = _phase(replace(experiment, options=options), recover or quarter, schedule)
        recovery = TrainingModule(smaller, network.train(), *datasets)
        writer = RunWriter(folder, smaller, limit, progress)
        writer.begin()
        _uninterrupted(recovery, writer, run, out)
    return Checkpoint.load(out)


class PruningModule(TrainingModule):
    """A training that draws the filters of a group together: gamma rises linearly from 0 to 1.

    Attributes
    ----------
    groups
        The groups of the layers, see `filter_clustering.Groups`.
    """

    def __init__(
        self,
        experiment: Experiment,
        network: Network,
        train: Dataset | ImageFolder,
        test: Dataset | ImageFolder,
        rate: float,
    ):
        super().__init__(experiment, network, train, test)
        lam = experiment.lam or LAMBDA
        self.groups = Groups(prunable(network), rate, lam, experiment.nu, experiment.seed)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The learnt parameters; the groups' sigma have no weight decay."""
        sigma: dict[str, Any] = {"params": list(self.groups.parameters()), "weight_decay": 0.0}
        if self.experiment.prior_lr is not None:
            sigma["lr"] = self.experiment.prior_lr
        return [*super().parameter_groups(), sigma]

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """The loss of one batch, the pruning loss included."""
        steps = self.experiment.epochs * self.trainer.num_training_batches
        self.groups.gamma = self.global_step / (steps - 1) if steps > 1 else 1.0
        return super().training_step(batch, index) + self.groups.loss()

    def on_train_batch_end(self, outputs: object, batch: object, index: int) -> None:
        """Clip the latent weights to [-1, 1], those before the blend too."""
        super().on_train_batch_end(outputs, batch, index)
        self.groups.clip()

    def finish_epoch(self) -> None:
        """Add the epoch to the history."""
        super().finish_epoch()
        self.history[-1]["phase"] = "prune"
        self.history[-1]["gamma"] = self.groups.gamma


class PruningWriter(RunWriter):
    """Shows the progress of this phase; of its results the run folder keeps `PRUNING` only."""

    def announce(self, groups: Groups, before: float | None) -> None:
        """Print the filters of each layer before and after, and the accuracy before."""
        layers = [f"{n} {len(x)} -> {int(x.max()) + 1}" for n, x in groups.labels.items()]
        print(f"filters: {', '.join(layers)}", file=sys.stderr)
        if before is not None:
            print(f"before: {self.experiment.tested} {before:.2%}", file=sys.stderr, flush=True)

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        """Show the epoch."""
        self._close_bar()
        training = training_of(module)
        training.finish_epoch()
        last = training.history[-1]
        self.finished = len(training.history)
        start = f"prune {last['epoch']}/{trainer.max_epochs}  gamma {last['gamma']:.2f}"
        self.show(start, last, time.monotonic() - self.started)


def _admitted(
    run: Path, out: Path, rate: float, counts: dict[str, int | None]
) -> tuple[TrainedCheckpoint, list[EpochFigures]]:
    """The run's network and history; raises UserError for what cannot be pruned."""
    if not 0 < rate < 1:
        raise UserError(
            f"prune: rate must be between 0 and 1, not {rate}; it is the share of filters to keep"
        )
    for name, count in counts.items():
        if count is not None and count < 1:
            raise UserError(f"prune: {name} must be at least 1, not {count}")
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise UserError("prune: runs as one process; start it without torchrun")
    if out.exists():
        raise UserError(f"{out}: exists already; name a new folder for the pruned run")
    checkpoint = Checkpoint.load(run)
    experiment = checkpoint.experiment
    if not (run / CHECKPOINT).is_file():
        raise UserError(
            f"{run}: a released run, of whose latent weights only the signs are left; prune the "
            "run that it was made of"
        )
    history = read_state(run / CHECKPOINT)["history"]
    if len(history) < experiment.all_epochs:
        raise UserError(
            f"{run}: not finished, {len(history)} of {experiment.all_epochs} epochs; go on with "
            f"`bonn-hw train EXPERIMENT.toml --out {run} --resume`, then prune"
        )
    if not prunable(checkpoint.network):
        raise UserError(
            f"{run}: its network {experiment.network!r} has no 1-bit layer to prune; name a run "
            'of another method than "float"'
        )
    return checkpoint, history


def _accuracy_before(history: list[EpochFigures]) -> float | None:
    """The last test accuracy of a run; None if it was never tested."""
    tested = [row["test_accuracy"] for row in history if row["test_accuracy"] is not None]
    return tested[-1] if tested else None


def _write_pruning(folder: Path, rate: float, before: float | None, module: PruningModule) -> None:
    """Write how the run was pruned."""
    report = {
        "rate": rate,
        "accuracy_before": before,
        "layers": {
            name: {"filters": len(labels), "kept": int(labels.max()) + 1}
            for name, labels in module.groups.labels.items()
        },
        "epochs": module.history,
    }
    write_atomically(folder / PRUNING, (json.dumps(report, indent=2) + "\n").encode())


def _phase(experiment: Experiment, epochs: int, schedule: str) -> Experiment:
    """The experiment with a single phase of `epochs` epochs."""
    return replace(
        experiment,
        epochs=epochs,
        schedule=schedule,
        milestones=(),
        fine_tune_epochs=0,
        fine_tune_lr=None,
    )


def _uninterrupted(module: TrainingModule, writer: RunWriter, run: Path, out: Path) -> None:
    try:
        fit(module, writer)
    except SystemExit as stop:
        raise Interrupted(
            f"{out}: pruning was interrupted, and nothing is left of it; start again with "
            f"`bonn-hw prune {run} --out {out}`"
        ) from stop
