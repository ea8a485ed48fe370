# SPDX-License-Identifier: BSD-3-Clause
"""What a training step minimises."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from bonn_hw.errors import UserError
from bonn_hw.nn.models.bayesian import BayesianLosses
from bonn_hw.nn.models.binary_layers import binary_layers, is_modulated, modulated_quantiser
from bonn_hw.nn.models.network import Network
from bonn_hw.nn.models.quantized_layer import configure
from bonn_hw.nn.training.experiment import Experiment
from bonn_hw.nn.training.teacher import Teacher


class Objective:
    """The loss of one batch: cross entropy, and whatever the experiment adds to it.

    Parameters
    ----------
    experiment
        Its weights and switches.
    network
        Its 1-bit layers have the kurtosis loss.
    losses, teacher
        The Bayesian losses and the teacher, if the experiment has them.
    """

    def __init__(
        self,
        experiment: Experiment,
        network: Network,
        losses: BayesianLosses | None,
        teacher: Teacher | None,
    ):
        self.smoothing = experiment.label_smoothing
        self.kurtosis = experiment.kurtosis
        self.layers = tuple(binary_layers(network).values())
        self.losses = losses
        self.teacher, self.teacher_weight = teacher, experiment.teacher_weight

    def __call__(self, images: Tensor, logits: Tensor, labels: Tensor, fine_tuning: bool) -> Tensor:
        """The loss, a scalar.

        Parameters
        ----------
        images, logits
            ``(N, C, H, W)`` and the network's answers to them, ``(N, classes)``.
        labels
            Classes, int64 ``(N,)``, or the share of each class, float32 ``(N, classes)``.
        fine_tuning
            Whether the feature loss counts.
        """
        # Mixed precision rounds the layers' values; a loss of 8 bits would be of no use.
        logits = logits.float()
        loss = functional.cross_entropy(logits, labels, label_smoothing=self.smoothing)
        if self.teacher is not None:
            loss = torch.lerp(loss, self.teacher.loss(images, logits), self.teacher_weight)
        if self.kurtosis:
            loss = loss + self.kurtosis * kurtosis_loss([layer.weight for layer in self.layers])
        if self.losses is not None:
            loss = loss + self.losses.kernel()
            if fine_tuning:
                loss = loss + self.losses.feature(main_class(labels))
        return loss


KURTOSIS = 1.4
"""Target of the kurtosis, as in the authors' code; a normal distribution has 3, two points 1."""


def kurtosis_loss(weights: Sequence[Tensor]) -> Tensor:
    """The pull of latent weights toward two modes, a scalar: BD-BNN's control of BONN's prior.

    The mean over the layers of (kurtosis - 1.4)² (Rozen et al., "Bimodal Distributed Binarized
    Neural Networks", 2022, arXiv 2204.02004).
    """
    distances = []
    for latent in weights:
        centred = latent - latent.mean()
        kurtosis = centred.pow(4).mean() / centred.square().mean().square().clamp(min=1e-30)
        distances.append((kurtosis - KURTOSIS).square())
    return torch.stack(distances).mean()


def main_class(labels: Tensor) -> Tensor:
    """The classes ``(N,)`` themselves; of shares ``(N, classes)``, the class with the greatest."""
    return labels if labels.dim() == 1 else labels.argmax(1)


def bayesian_losses(experiment: Experiment, network: Network) -> BayesianLosses | None:
    """The Bayesian losses of a network whose 1-bit layers all have the modulation; else None.

    Raises
    ------
    UserError
        If the experiment weighs these losses and the network cannot have them.
    """
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
        configure(layer.weight_quant, modulation_gradient=experiment.modulation_gradient)
    return BayesianLosses(
        network,
        experiment.lam,
        experiment.theta,
        experiment.nu,
        start=experiment.start,
        modulation=experiment.modulation,
    )
