# SPDX-License-Identifier: BSD-3-Clause
"""Residual networks of PyTorch that were not trained, yet whose layers are alive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bonn_hw.nn.training.checkpoint import Checkpoint


def calibrated(name: str, batches: int = 4, batch: int = 32, **options: Any) -> Checkpoint:
    """A checkpoint in the form for hardware whose norms have the statistics of smooth noise."""
    import torch

    from bonn_hw.nn.models.networks import build
    from bonn_hw.nn.training.checkpoint import Checkpoint

    generator = torch.Generator().manual_seed(1)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        network = build(name, form="hardware", **options)
        channels, height, width = network.input_shape
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None  # the mean of all batches
        network.train()
        for _ in range(batches):
            coarse = torch.rand(batch, channels, height // 4, width // 4, generator=generator)
            network(torch.nn.functional.interpolate(2 * coarse - 1, size=(height, width)))
    return Checkpoint(network.eval())
