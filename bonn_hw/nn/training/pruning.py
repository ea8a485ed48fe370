# SPDX-License-Identifier: BSD-3-Clause
"""Prune a finished run: group similar filters, train them together, keep one per group, recover.

The pruning of BONN's journal version (Zhao et al., "Bayesian Optimized 1-Bit CNNs", IJCV 2022, doi
10.1007/s11263-021-01543-y); `filter_clustering` has the groups, their loss and
their blend, `channel_pruning` makes the smaller network.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bonn_hw.cache import digest
from bonn_hw.errors import UserError
from bonn_hw.files import fresh_folder
from bonn_hw.nn.data.image_folder import ImageFolder
from bonn_hw.nn.data.labelled_images import Dataset
from bonn_hw.nn.models.chains import Chain
from bonn_hw.nn.models.network import Network
from bonn_hw.nn.training.channel_pruning import prunable, pruned
from bonn_hw.nn.training.checkpoint import Checkpoint, TrainedCheckpoint, read_state
from bonn_hw.nn.training.experiment import Experiment
from bonn_hw.nn.training.filter_clustering import Groups
from bonn_hw.nn.training.run_files import CHECKPOINT, METRICS, EpochFigures, write_atomically
from bonn_hw.nn.training.run_writer import RunWriter, training_of
from bonn_hw.nn.training.training_module import TrainingModule
from bonn_hw.nn.training.unfinished import Setting, Unfinished

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import lightning.pytorch as lightning

PRUNING = "pruning.json"
"""The file of a pruned run that says how it was pruned."""
LAMBDA = 1e-4
"""Lambda of the pruning loss of a ramp, where the run has none for its kernel loss."""
ALIKE = 1e-3
"""Share of the distance to the mean that a constant gamma leaves, if gamma is not given."""


def prune(
    run: str | Path,
    out: str | Path,
    rate: float = 0.5,
    epochs: int | None = None,
    recover: int | None = None,
    progress: bool = True,
    gamma: float | None = None,
    ramp: bool = False,
    narrow: bool = False,
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
    gamma
        Share of the way to the mean of its group that a filter goes with each step; None: such a
        share that a thousandth of the distance (`ALIKE`) is left.
    ramp
        Instead, the quantiser sees a blend of filter and mean that goes from one to the other, and
        the pruning loss is weighed with lambda/2.
    narrow
        Make a chain narrower: one batch norm for each group, and fewer inputs of the next layer.

    Raises
    ------
    UserError
        If an argument is wrong, or the run is not finished or has no 1-bit layer; `Interrupted`
        after Ctrl-C. Whole epochs are kept then (`unfinished`), and the same call goes on.
    """
    run, out = Path(run), Path(out)
    _check_gamma(gamma, ramp)
    checkpoint, history = _admitted(run, out, rate, {"epochs": epochs, "recover": recover}, narrow)
    experiment = checkpoint.experiment
    quarter = max(1, experiment.all_epochs // 4)
    epochs, recover = epochs or quarter, recover or quarter
    drawing = phase(experiment, epochs, "constant")
    limit = json.loads((run / METRICS).read_text()).get("limit")
    datasets = experiment.data("train", limit), experiment.data(experiment.tested)
    before = _accuracy_before(history)
    settings: dict[str, Setting] = {"run": digest((run / CHECKPOINT).read_bytes()), "rate": rate}
    settings |= {"epochs": epochs, "recover": recover, "gamma": gamma, "ramp": ramp}
    settings |= {"narrow": narrow}
    command = f"bonn-hw prune {run} --out {out}"
    work = Unfinished("pruning", out, settings, epochs + recover, command)
    with fresh_folder(out) as folder, work:
        torch.manual_seed(experiment.seed)
        network = checkpoint.network.train()
        module = PruningModule(drawing, network, *datasets, rate, gamma, ramp)
        together = PruningWriter(work.folder("drawing"), drawing, limit, progress)
        if progress:
            together.announce(module.groups, before)
        work.train(module, together)
        new = work.folder("run")
        _write_pruning(new, rate, before, module)
        options, network = pruned(checkpoint.network, experiment, module.groups, narrow)
        schedule = "cosine" if experiment.schedule == "steps" else experiment.schedule
        smaller = phase(replace(experiment, options=options), recover, schedule)
        recovery = TrainingModule(smaller, network.train(), *datasets)
        writer = RunWriter(new, smaller, limit, progress)
        writer.begin()
        work.train(recovery, writer)
        writer.write_figures(recovery.history, recovery.kernels)
        shutil.copytree(new, folder, dirs_exist_ok=True)
    return Checkpoint.load(out)


class PruningModule(TrainingModule):
    """A training that draws the filters of a group together.

    Attributes
    ----------
    groups
        The groups of the layers, see `filter_clustering.Groups`.
    gamma
        The constant rate, or how far the ramp has come.
    """

    def __init__(
        self,
        experiment: Experiment,
        network: Network,
        train: Dataset | ImageFolder,
        test: Dataset | ImageFolder,
        rate: float,
        gamma: float | None = None,
        ramp: bool = False,
    ):
        super().__init__(experiment, network, train, test)
        weight = (experiment.lam or LAMBDA) / 2 if ramp else 1.0
        self.ramp, self.gamma = ramp, gamma or 0.0
        self.groups = Groups(
            prunable(network), rate, experiment.nu, experiment.seed, weight, blended=ramp
        )

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The learnt parameters; the groups' sigma have no weight decay."""
        sigma: dict[str, Any] = {"params": list(self.groups.parameters()), "weight_decay": 0.0}
        if self.experiment.prior_lr is not None:
            sigma["lr"] = self.experiment.prior_lr
        return [*super().parameter_groups(), sigma]

    def on_train_start(self) -> None:
        """Choose gamma, if it is not given: now the number of steps is known."""
        super().on_train_start()
        if not self.ramp and not self.gamma:
            self.gamma = 1 - ALIKE ** (1 / self._steps)

    @property
    def _steps(self) -> int:
        return self.experiment.epochs * int(self.trainer.num_training_batches)

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """The loss of one batch, the pruning loss included."""
        if self.ramp:
            self.gamma = self.global_step / (self._steps - 1) if self._steps > 1 else 1.0
            self.groups.blend(self.gamma)
        return super().training_step(batch, index) + self.groups.loss()

    def on_train_batch_end(self, outputs: object, batch: object, index: int) -> None:
        """Clip the latent weights to [-1, 1], those before the blend too, and draw them."""
        super().on_train_batch_end(outputs, batch, index)
        self.groups.clip()
        if not self.ramp:
            self.groups.draw(self.gamma)

    def finish_epoch(self) -> None:
        """Add the epoch to the history."""
        super().finish_epoch()
        self.history[-1]["phase"] = "prune"
        self.history[-1]["gamma"] = self.gamma
        self.history[-1]["apart"] = self.groups.apart


class PruningWriter(RunWriter):
    """Shows the progress of this phase; of its results the new run keeps `PRUNING` only."""

    def announce(self, groups: Groups, before: float | None) -> None:
        """Print the filters of each layer before and after, and the accuracy before."""
        layers = [f"{n} {len(x)} -> {int(x.max()) + 1}" for n, x in groups.labels.items()]
        print(f"filters: {', '.join(layers)}", file=sys.stderr)
        if before is not None:
            print(f"before: {self.experiment.tested} {before:.2%}", file=sys.stderr, flush=True)

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        """Save and show the epoch."""
        self._close_bar()
        training = training_of(module)
        if not isinstance(training, PruningModule):
            raise TypeError("shows the progress of a PruningModule only")
        training.finish_epoch()
        last = training.history[-1]
        self.save(trainer)
        self.finished = len(training.history)
        start = f"prune {last['epoch']}/{trainer.max_epochs}  "
        # How far a ramp has come, or how far the filters are from their means.
        start += f"gamma {last['gamma']:.2f}" if training.ramp else f"apart {last['apart']:.2f}"
        self.show(start, last, time.monotonic() - self.started)


def _check_gamma(gamma: float | None, ramp: bool) -> None:
    if gamma is not None and not 0 < gamma <= 1:
        raise UserError(
            f"prune: gamma must be above 0 and at most 1, not {gamma}; it is the share of the way "
            "to the mean that a filter goes with each step"
        )
    if gamma is not None and ramp:
        raise UserError(
            f"prune: gamma {gamma} is a constant rate, and a ramp goes from 0 to 1; leave one of "
            "--gamma and --ramp out"
        )


def _admitted(
    run: Path, out: Path, rate: float, counts: dict[str, int | None], narrow: bool
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
    if narrow and not isinstance(checkpoint.network, Chain):
        raise UserError(
            f"prune: network {experiment.network!r} cannot become narrower, since its shortcuts "
            "need every channel; leave --narrow out"
        )
    if narrow and experiment.options.get("pruned"):
        raise UserError(
            f"{run}: was pruned with copies, and cannot become narrower; prune it without "
            "--narrow, or the run that it was made of with --narrow"
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


def phase(experiment: Experiment, epochs: int, schedule: str) -> Experiment:
    """The experiment with a single phase of `epochs` epochs."""
    return replace(
        experiment,
        epochs=epochs,
        schedule=schedule,
        milestones=(),
        fine_tune_epochs=0,
        fine_tune_lr=None,
    )
