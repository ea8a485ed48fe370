# SPDX-License-Identifier: BSD-3-Clause
"""Networks that are not trained, with norms as if they were: for estimates of their hardware."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn import functional

from bonn_hw.nn.models.network import Network
from bonn_hw.nn.training.network_of import network_of

BATCHES, BATCH = 4, 32


def untrained(name: str, options: Mapping[str, Any], folder: str = "") -> Network:
    """A new network whose norms have the statistics of smooth noise; the same for each call.

    Parameters
    ----------
    folder
        Where the file of the user's own network is.

    Raises
    ------
    UserError
        If there is no such network.
    """
    generator = torch.Generator().manual_seed(1)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        network = network_of(name, options, folder)
        channels, height, width = network.input_shape
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
                module.momentum = None  # the mean of all batches
        network.train()
        for _ in range(BATCHES):
            # Noise of each pixel alone would average out in the first convolutions.
            size = -(-height // 4), -(-width // 4)
            coarse = 2 * torch.rand(BATCH, channels, *size, generator=generator) - 1
            network(functional.interpolate(coarse, size=(height, width)))
    return network.eval()
