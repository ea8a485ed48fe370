# SPDX-License-Identifier: BSD-3-Clause
"""What is done to a network beside its training: an average of its weights, norms measured anew.

torch.optim.swa_utils has both. Its average counts steps in a tensor, which would be read in every
step, and averages integer buffers, which rounds indices down; its update of norms leaves dropout
on.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bonn_hw.nn.models.network import Network


class WeightAverage(nn.Module):
    """An exponential moving average of a network's weights, as a network of its own.

    Latent weights are averaged like all others: the sign of the average is what a weight was for
    most of the last steps, weighted by its size. Statistics of batch norms are averaged too. They
    are those of the trained network, whose signs differ from the average's while many weights flip;
    `measure_norms` measures the average's own.

    Parameters
    ----------
    network
        The network that is trained; it is copied.
    decay
        Share of the old average in the new one. Early steps have less, (step - 1) / (step + 9):
        else the first weights would weigh most for 1 / (1 - decay) steps.
    """

    def __init__(self, network: Network, decay: float):
        super().__init__()
        self.decay = decay
        self.network = copy.deepcopy(network).requires_grad_(False)

    @torch.no_grad()
    def update(self, network: Network, step: int) -> None:
        """Include the weights of `network` after training step `step`, from 1 on."""
        share = 1 - min(self.decay, (step - 1) / (step + 9))
        averaged: list[Tensor] = list(self.network.parameters())
        newest: list[Tensor] = list(network.parameters())
        statistics = {
            f"{name}.{part}"
            for name, module in network.named_modules()
            if isinstance(module, _BatchNorm)
            for part in ("running_mean", "running_var")
        }
        for (name, ours), theirs in zip(
            self.network.named_buffers(), network.buffers(), strict=True
        ):
            if name in statistics:
                averaged.append(ours)
                newest.append(theirs)
            else:
                ours.copy_(theirs)
        torch._foreach_lerp_(averaged, newest, share)


@torch.no_grad()
def measure_norms(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set the statistics of all batch norms to the mean over `batches`, without dropout.

    Parameters
    ----------
    batches
        Images ``(N, C, H, W)`` on the network's device.
    """
    training = network.training
    norms = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    momenta = [norm.momentum for norm in norms]
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        # None: the plain mean over all batches.
        norm.momentum = None
        norm.train()
    for images in batches:
        network(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.train(training)
