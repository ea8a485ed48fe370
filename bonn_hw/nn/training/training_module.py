# SPDX-License-Identifier: BSD-3-Clause
"""The training of one experiment, as a module of PyTorch Lightning."""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from bonn_hw.errors import UserError
from bonn_hw.nn.data.augment import EpochBatches
from bonn_hw.nn.data.image_folder import FolderBatches, ImageFolder
from bonn_hw.nn.data.labelled_images import Dataset
from bonn_hw.nn.models.bayesian import (
    BayesianLosses,
    binary_layers,
    is_modulated,
    modulated_quantiser,
)
from bonn_hw.nn.models.network import Network, clip_latent_weights
from bonn_hw.nn.training.experiment import Experiment
from bonn_hw.nn.training.kernel_statistics import EpochStatistics, kernel_statistics
from bonn_hw.nn.training.layer_at_fault import layer_at_fault
from bonn_hw.nn.training.run_files import EpochFigures

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import lightning.pytorch as lightning
    from lightning.pytorch.utilities.types import OptimizerLRScheduler

TEST_BATCH = 250


def objective(
    logits: Tensor, labels: Tensor, losses: BayesianLosses | None, fine_tuning: bool
) -> Tensor:
    """The loss that a training step minimises, a scalar."""
    loss = functional.cross_entropy(logits, labels)
    if losses is None:
        return loss
    loss = loss + losses.kernel()
    return loss + losses.feature(labels) if fine_tuning else loss


class TrainingModule(lightning.LightningModule):
    """Losses, optimiser, batches and figures of one experiment.

    Attributes
    ----------
    history
        The figures of each finished epoch.
    kernels
        Statistics of all 1-bit layers: before the training, then after each epoch.
    """

    def __init__(
        self,
        experiment: Experiment,
        network: Network,
        train: Dataset | ImageFolder,
        test: Dataset | ImageFolder,
    ):
        super().__init__()
        self.experiment = experiment
        self.network = network
        self.losses = _losses(experiment, network)
        self._train, self._test = _tensors(train), _tensors(test)
        self.history: list[EpochFigures] = []
        self._signs: dict[str, Tensor] = {}
        self.kernels: list[EpochStatistics] = [self._kernels(0)]
        self._sums = torch.zeros(3, dtype=torch.float64)
        self._hits = torch.zeros(2, dtype=torch.float64)

    @property
    def fine_tuning(self) -> bool:
        """Whether the current epoch comes after the main schedule."""
        return self.current_epoch >= self.experiment.epochs

    def train_dataloader(self) -> EpochBatches | FolderBatches:
        """This process' share of the epoch's batches."""
        return self._batches(self.current_epoch)

    def val_dataloader(self) -> DataLoader[Any] | FolderBatches:
        """This process' share of the test batches; empty in epochs without a test."""
        e = self.experiment
        epoch = self.current_epoch + 1
        if epoch % e.test_every and epoch not in (e.epochs, e.all_epochs):
            nothing: list[Any] = []
            return DataLoader(nothing)  # type: ignore[arg-type]  # any sequence is a data set
        if isinstance(self._test, ImageFolder):
            return self._folder_batches(self._test, False, 0)
        images, labels = (part[self._rank :: self._world] for part in self._test)
        return DataLoader(TensorDataset(images, labels), batch_size=TEST_BATCH)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimiser and its schedule, which depends on the number of the training step only."""
        e = self.experiment
        groups = self.parameter_groups()
        optimiser: torch.optim.Optimizer
        if e.optimiser == "sgd":
            optimiser = torch.optim.SGD(groups, lr=e.lr, momentum=e.momentum, nesterov=e.nesterov)
        else:
            optimiser = torch.optim.Adam(groups, lr=e.lr)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, self._factor)
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The learnt parameters, in groups for the optimiser."""
        e = self.experiment
        if self.losses is None:
            return [{"params": self.network.parameters(), "weight_decay": e.weight_decay}]
        return self.losses.groups(e.lr, e.weight_decay, e.modulation_lr, e.prior_lr)

    def on_train_epoch_start(self) -> None:
        """Seed the random generator of the layers, so that an epoch depends on its number only."""
        torch.manual_seed(self.experiment.seed * 1_000_003 + self.current_epoch)
        self._signs = {
            name: layer.weight.detach() >= 0 for name, layer in binary_layers(self.network).items()
        }
        self._sums.zero_()

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """The loss of one batch."""
        images, labels = batch
        logits = self.network(images)
        loss = objective(logits, labels, self.losses, self.fine_tuning)
        if not torch.isfinite(loss):
            self._stop(f"the loss is {loss.item()}", f"step {index + 1}", images)
        hits = (logits.argmax(1) == labels).sum()
        self._sums += torch.tensor([loss.item() * len(labels), hits.item(), len(labels)])
        return loss

    def on_train_batch_end(self, outputs: object, batch: object, index: int) -> None:
        """Clip the latent weights to [-1, 1], and bring w back into its range."""
        clip_latent_weights(self.network)
        if self.losses:
            self.losses.project()

    def on_validation_epoch_start(self) -> None:
        """Set the counts of the test to zero."""
        self._hits.zero_()

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        """Count the hits of one batch, in float32 whatever the training's precision.

        Under autocast sums of integers are rounded to 8 or 11 bits before they meet a threshold:
        that is the accuracy of another network than the one that is exported.
        """
        images, labels = batch
        with torch.autocast(images.device.type, enabled=False):
            hits = (self.network(images).argmax(1) == labels).sum()
        self._hits += torch.tensor([hits.item(), len(labels)])

    def finish_epoch(self) -> None:
        """Add the epoch to the history. Raise before weights that are not finite are saved.

        Raises
        ------
        UserError
            If a weight is not finite.
        """
        if not all(torch.isfinite(p).all() for p in self.parameters()):
            self._stop("a weight is not finite", "after its last step", None)
        loss, hits, seen = self._total(self._sums)
        test_hits, test_seen = self._total(self._hits)
        self._hits.zero_()
        self.history.append(
            {
                "epoch": self.current_epoch + 1,
                "phase": "fine-tune" if self.fine_tuning else "main",
                "loss": loss / seen,
                "train_accuracy": hits / seen,
                "test_accuracy": test_hits / test_seen if test_seen else None,
            }
        )
        self.kernels.append(self._kernels(self.current_epoch + 1))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the history with the weights that it describes."""
        checkpoint["history"] = self.history
        checkpoint["kernels"] = self.kernels

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the history."""
        self.history = list(checkpoint["history"])
        self.kernels = list(checkpoint["kernels"])

    def _batches(self, epoch: int) -> EpochBatches | FolderBatches:
        e = self.experiment
        if isinstance(self._train, ImageFolder):
            return self._folder_batches(self._train, True, epoch)
        return EpochBatches(
            *self._train, e.batch, e.augment, e.seed, epoch, self._rank, self._world
        )

    def _folder_batches(self, folder: ImageFolder, train: bool, epoch: int) -> FolderBatches:
        e, size = self.experiment, self.network.input_shape[1]
        share = self._rank, self._world
        return FolderBatches(folder, e.batch, size, train, e.seed, epoch, *share)

    def _factor(self, step: int) -> float:
        """The factor of the learning rates in a training step."""
        e = self.experiment
        per_epoch = len(self._batches(0))
        main = e.epochs * per_epoch
        if step < main:
            start, share = 1.0, step / main
            if e.schedule == "steps":
                return e.decay ** sum(step >= milestone * per_epoch for milestone in e.milestones)
        else:
            start = (e.fine_tune_lr or e.lr / 10) / e.lr
            share = min(1.0, (step - main) / max(1, e.fine_tune_epochs * per_epoch))
        if e.schedule == "cosine":
            return start * 0.5 * (1 + math.cos(math.pi * share))
        return start * (1 - share) if e.schedule == "linear" else start

    def _kernels(self, epoch: int) -> EpochStatistics:
        """The statistics of all 1-bit layers after `epoch` epochs."""
        layers = {}
        pull = self.losses.pull() if self.losses else {}
        for name, layer in binary_layers(self.network).items():
            statistics = kernel_statistics(layer.weight.detach().float().cpu().numpy())
            if is_modulated(layer):
                quantiser = modulated_quantiser(layer)
                statistics["scale"] = float(quantiser.scale())
                statistics["inside"] = float(quantiser.inside(layer.weight))
            if name in pull:
                statistics["pull"] = pull[name]
            if name in self._signs:
                flipped = (layer.weight.detach() >= 0) != self._signs[name]
                statistics["flips"] = float(flipped.float().mean())
            layers[name.removeprefix("layers.")] = statistics
        return {"epoch": epoch, "layers": layers}

    def _stop(self, what: str, where: str, images: Tensor | None) -> None:
        layer = layer_at_fault(self.network, images)
        saved = (
            f"{self.current_epoch} whole epochs are kept" if self.current_epoch else "none is kept"
        )
        raise UserError(
            f"training: {what} in epoch {self.current_epoch + 1}, {where}; {layer}; all values "
            "must be finite: train again, into a new folder, with a lower lr than "
            f"{self.experiment.lr} ({saved} in this one)"
        )

    def _total(self, counts: Tensor) -> list[float]:
        """The sums over all processes."""
        if self._world > 1:
            counts = counts.to(self.device if self.device.type == "cuda" else "cpu")
            torch.distributed.all_reduce(counts)
        totals: list[float] = counts.tolist()
        return totals

    @property
    def _rank(self) -> int:
        return self.global_rank if self._trainer is not None else 0

    @property
    def _world(self) -> int:
        return self.trainer.world_size if self._trainer is not None else 1


def _tensors(data: Dataset | ImageFolder) -> ImageFolder | tuple[Tensor, Tensor]:
    if isinstance(data, ImageFolder):
        return data
    return torch.from_numpy(data.images), torch.from_numpy(data.labels)


def _losses(experiment: Experiment, network: Network) -> BayesianLosses | None:
    layers = binary_layers(network)
    if not layers or not all(map(is_modulated, layers.values())):
        if experiment.lam or experiment.theta:
            raise UserError(
                f"experiment: lambda {experiment.lam} and theta {experiment.theta} weigh the "
                'Bayesian losses, which need the learnt modulation; set [network] method = "bonn", '
                "or both to 0"
            )
        return None
    for layer in layers.values():
        modulated_quantiser(layer).exact = experiment.modulation_gradient == "exact"
    return BayesianLosses(
        network,
        experiment.lam,
        experiment.theta,
        experiment.nu,
        start=experiment.start,
        modulation=experiment.modulation,
    )
