# SPDX-License-Identifier: BSD-3-Clause
"""The training of one experiment, as a module of PyTorch Lightning."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from bonn_hw.errors import UserError
from bonn_hw.nn.data.augment import EpochBatches
from bonn_hw.nn.data.image_folder import FolderBatches, ImageFolder
from bonn_hw.nn.data.labelled_images import Dataset
from bonn_hw.nn.data.mixing import Batches, MixedBatches
from bonn_hw.nn.models.latent import centre_latent_weights
from bonn_hw.nn.models.network import Network, clip_latent_weights
from bonn_hw.nn.models.shared_options import follow
from bonn_hw.nn.training.averaging import WeightAverage, measure_norms
from bonn_hw.nn.training.calibration import Calibration, CalibrationSums
from bonn_hw.nn.training.epoch_statistics import epoch_statistics, signs
from bonn_hw.nn.training.experiment import Experiment
from bonn_hw.nn.training.kernel_statistics import EpochStatistics
from bonn_hw.nn.training.layer_at_fault import layer_at_fault
from bonn_hw.nn.training.objective import Objective, bayesian_losses, main_class
from bonn_hw.nn.training.run_files import EpochFigures
from bonn_hw.nn.training.schedule import optimiser, rate_factor
from bonn_hw.nn.training.speed import is_channels_last, train_channels_last
from bonn_hw.nn.training.teacher import Teacher

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import lightning.pytorch as lightning
    from lightning.pytorch.utilities.types import OptimizerLRScheduler

TEST_BATCH = 250
CHECK_EVERY = {"cpu": 1}
"""Steps from one look at the losses to the next, by device; to look is to wait for the device."""
OTHER_CHECK_EVERY = 50
"""The same for all other devices."""


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
        # Copied before the losses hook themselves into the network.
        self.averaged = WeightAverage(network, experiment.average) if experiment.average else None
        self.losses = bayesian_losses(experiment, network)
        self.teacher = Teacher.load(experiment, network)
        self.objective = Objective(experiment, network, self.losses, self.teacher)
        if is_channels_last(experiment):
            train_channels_last(network)
        self._train, self._test = _tensors(train), _tensors(test)
        self.history: list[EpochFigures] = []
        self._signs: dict[str, Tensor] = {}
        self.kernels: list[EpochStatistics] = [self._statistics(0)]
        self._sums = torch.zeros(3, dtype=torch.float64)
        self._hits = torch.zeros(2, dtype=torch.float64)
        self._calibration = CalibrationSums()

    @property
    def tested(self) -> Network:
        """The network that is tested: the one that is trained, or the average of its weights."""
        return self.network if self.averaged is None else self.averaged.network

    @property
    def fine_tuning(self) -> bool:
        """Whether the current epoch comes after the main schedule."""
        return self.current_epoch >= self.experiment.epochs

    def train_dataloader(self) -> Batches:
        """This process' share of the epoch's batches."""
        e, epoch = self.experiment, self.current_epoch
        plain = self._batches(epoch)
        # The feature loss of the fine-tuning needs images of one class.
        if self.fine_tuning or not (e.erase or e.mixup or e.cutmix):
            return plain
        mixing = e.erase, e.mixup, e.cutmix
        return MixedBatches(plain, self.network.classes, *mixing, e.seed, epoch, self._rank)

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
        chosen = optimiser(self.experiment, self.parameter_groups())
        schedule = torch.optim.lr_scheduler.LambdaLR(chosen, self._factor)
        return {"optimizer": chosen, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The learnt parameters, in groups for the optimiser."""
        e = self.experiment
        if self.losses is None:
            return [{"params": self.network.parameters(), "weight_decay": e.weight_decay}]
        return self.losses.groups(e.lr, e.weight_decay, e.modulation_lr, e.prior_lr)

    def on_fit_start(self) -> None:
        """Take w as a checkpoint has it; move the teacher, no part of the module, to its device."""
        if self.losses is not None:
            self.losses.accept()
        if self.teacher is not None:
            self.teacher.to(self.device)

    def on_train_epoch_start(self) -> None:
        """Seed the layers' random generator and set their schedules by the epoch's number only."""
        torch.manual_seed(self.experiment.seed * 1_000_003 + self.current_epoch)
        follow(self.network, self.current_epoch / self.experiment.all_epochs)
        self._signs = signs(self.tested)
        self._sums = self._zeros(3)

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """The loss of one batch."""
        images, labels = batch
        logits = self.network(images)
        loss = self.objective(images, logits, labels, self.fine_tuning)
        self._sums[0] += loss.detach() * len(labels)
        self._sums[1] += (logits.argmax(1) == main_class(labels)).sum()
        self._sums[2] += len(labels)
        self._check_losses(loss, index, images)
        return loss

    def on_train_batch_end(self, outputs: object, batch: object, index: int) -> None:
        """Put the latent weights and w back into their ranges, and average the new weights."""
        centre_latent_weights(self.network)
        clip_latent_weights(self.network)
        if self.losses:
            self.losses.project()
        if self.averaged is not None:
            self.averaged.update(self.network, self.global_step)

    def on_validation_start(self) -> None:
        """After the last epoch, measure the batch norms of the network again."""
        e = self.experiment
        if self.current_epoch + 1 < e.all_epochs or not e.norm_epochs:
            return
        with torch.autocast(self.device.type, enabled=False):
            measure_norms(self.tested, self._images_for_norms())

    def on_validation_epoch_start(self) -> None:
        """Set the counts of the test to zero."""
        self._hits = self._zeros(2)
        self._calibration = CalibrationSums()

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        """Count the hits of one batch, in float32 whatever the training's precision.

        Under autocast sums of integers are rounded to 8 or 11 bits before they meet a threshold:
        that is the accuracy of another network than the one that is exported.
        """
        images, labels = batch
        with torch.autocast(images.device.type, enabled=False):
            logits = self.tested(images)
        self._hits[0] += (logits.argmax(1) == labels).sum()
        self._hits[1] += len(labels)
        if self.current_epoch + 1 == self.experiment.all_epochs:
            self._calibration.add(logits, labels)

    def finish_epoch(self) -> None:
        """Add the epoch to the history. Raise before weights that are not finite are saved.

        Raises
        ------
        UserError
            If a loss or a weight is not finite.
        """
        if not torch.isfinite(self._sums[0]):
            self._stop("a loss is not finite", "in one of its last steps", None)
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
        if (calibration := self._calibrated()) is not None:
            self.history[-1]["calibration"] = calibration
        self.kernels.append(self._statistics(self.current_epoch + 1))

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

    def _images_for_norms(self) -> Iterator[Tensor]:
        """All training images `norm_epochs` times, not augmented, as those of the test."""
        e = self.experiment
        for epoch in range(e.all_epochs, e.all_epochs + e.norm_epochs):
            batches: EpochBatches | FolderBatches
            if isinstance(self._train, ImageFolder):
                batches = self._folder_batches(self._train, False, epoch)
            else:
                share = self._rank, self._world
                batches = EpochBatches(*self._train, e.batch, "none", e.seed, epoch, *share)
            for images, _ in batches:
                yield images.to(self.device)

    def _folder_batches(self, folder: ImageFolder, train: bool, epoch: int) -> FolderBatches:
        e, size = self.experiment, self.network.input_shape[1]
        share = self._rank, self._world
        return FolderBatches(folder, e.batch, size, train, e.seed, epoch, *share)

    def _factor(self, step: int) -> float:
        """The factor of the learning rates in a training step."""
        return rate_factor(self.experiment, step, len(self._batches(0)))

    def _statistics(self, epoch: int) -> EpochStatistics:
        return epoch_statistics(self.tested, self.losses, self._signs, epoch)

    def _check_losses(self, loss: Tensor, index: int, images: Tensor) -> None:
        """Stop if a loss was not finite; looks in some steps only, see `CHECK_EVERY`."""
        every = CHECK_EVERY.get(self.device.type, OTHER_CHECK_EVERY)
        if (index + 1) % every or torch.isfinite(self._sums[0]):
            return
        if every == 1:
            self._stop(f"the loss is {loss.item()}", f"step {index + 1}", images)
        self._stop("a loss is not finite", f"steps {index + 2 - every} to {index + 1}", images)

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

    def _calibrated(self) -> Calibration | None:
        """The calibration over all processes; None before the last epoch."""
        if self._world > 1:
            sums = self._calibration.sums.to(self.device)
            torch.distributed.all_reduce(sums)
            self._calibration.sums = sums.cpu()
        return self._calibration.figures()

    def _total(self, counts: Tensor) -> list[float]:
        """The sums over all processes."""
        if self._world > 1:
            torch.distributed.all_reduce(counts)
        totals: list[float] = counts.tolist()
        return totals

    def _zeros(self, count: int) -> Tensor:
        """Sums of an epoch on the device: they are read once, at its end."""
        # Apple's GPUs have no float64.
        exact = torch.float32 if self.device.type == "mps" else torch.float64
        return torch.zeros(count, dtype=exact, device=self.device)

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
