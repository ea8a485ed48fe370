# SPDX-License-Identifier: BSD-3-Clause
"""The statistics of all 1-bit layers of a network after an epoch."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from bonn_hw.nn.models.bayesian import BayesianLosses
from bonn_hw.nn.models.binary_layers import binary_layers, is_modulated, modulated_quantiser
from bonn_hw.nn.models.network import Network
from bonn_hw.nn.training.kernel_statistics import EpochStatistics, kernel_statistics


def signs(network: Network) -> dict[str, Tensor]:
    """Where the latent weights of each 1-bit layer are not negative, bool, by name."""
    return {name: layer.weight.detach() >= 0 for name, layer in binary_layers(network).items()}


def epoch_statistics(
    network: Network, losses: BayesianLosses | None, before: Mapping[str, Tensor], epoch: int
) -> EpochStatistics:
    """The statistics of all 1-bit layers after `epoch` epochs.

    Parameters
    ----------
    before
        The `signs` before the epoch; empty before the first one.
    """
    layers = {}
    pull = losses.pull() if losses else {}
    for name, layer in binary_layers(network).items():
        statistics = kernel_statistics(layer.weight.detach().float().cpu().numpy())
        if is_modulated(layer):
            quantiser = modulated_quantiser(layer)
            statistics["scale"] = float(quantiser.scale())
            statistics["inside"] = float(quantiser.inside(layer.weight))
        if name in pull:
            statistics["pull"] = pull[name]
        if name in before:
            flipped = (layer.weight.detach() >= 0) != before[name]
            statistics["flips"] = float(flipped.float().mean())
        layers[name.removeprefix("layers.")] = statistics
    return {"epoch": epoch, "layers": layers}
