# SPDX-License-Identifier: BSD-3-Clause
"""Distillation: a finished run whose answers the network learns beside the labels.

Hinton et al., "Distilling the Knowledge in a Neural Network", 2015 (arXiv 1503.02531).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from bonn_hw.errors import UserError
from bonn_hw.nn.data.datasets import SOURCES
from bonn_hw.nn.models.network import Network
from bonn_hw.nn.training.checkpoint import Checkpoint
from bonn_hw.nn.training.experiment import Experiment


class Teacher:
    """A network in evaluation mode, and how far the student's answers are from its own.

    Parameters
    ----------
    network
        The teacher's network.
    temperature
        Both logits are divided by it. The higher, the more the small answers count.
    """

    def __init__(self, network: Network, temperature: float):
        self.network = network.eval().requires_grad_(False)
        self.temperature = temperature

    @classmethod
    def load(cls, experiment: Experiment, student: Network) -> Teacher | None:
        """The teacher of an experiment, if it has one.

        Raises
        ------
        UserError
            If its run cannot be read, or has other images or classes than the student.
        """
        run = experiment.teacher
        if run is None:
            return None
        try:
            checkpoint = Checkpoint.load(run)
        except UserError as error:
            raise UserError(f"experiment: teacher: {error}") from error
        network, data = checkpoint.network, checkpoint.experiment.dataset
        if network.input_shape != student.input_shape:
            raise UserError(
                f"experiment: teacher {run} takes images {network.input_shape}, but network "
                f"{experiment.network} takes {student.input_shape} (C, H, W); name a run with the "
                "same images"
            )
        if network.classes != student.classes:
            raise UserError(
                f"experiment: teacher {run} has {network.classes} classes, but network "
                f"{experiment.network} has {student.classes}; name a run with the same classes"
            )
        if _classes(data) != _classes(experiment.dataset):
            raise UserError(
                f"experiment: teacher {run} was trained on {data}, whose classes are not those of "
                f"{experiment.dataset}; name a run with the same classes"
            )
        return cls(network, experiment.temperature)

    def to(self, device: torch.device) -> None:
        """Move the network to a device."""
        self.network.to(device)

    def loss(self, images: Tensor, logits: Tensor) -> Tensor:
        """KL divergence of the student's `logits` ``(N, classes)`` from the answers, a scalar.

        Times the squared temperature, so that gradients keep their size at any temperature.
        """
        with torch.no_grad():
            wanted = functional.log_softmax(self.network(images).float() / self.temperature, 1)
        answers = functional.log_softmax(logits.float() / self.temperature, 1)
        divergence = functional.kl_div(answers, wanted, reduction="batchmean", log_target=True)
        return self.temperature**2 * divergence


def _classes(data: str) -> tuple[str, ...]:
    """What tells whether labels mean the same; of the user's own data that is the name itself."""
    return SOURCES[data].classes if data in SOURCES else (data,)
