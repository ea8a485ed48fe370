# SPDX-License-Identifier: BSD-3-Clause
"""What the Bayesian losses cost: one training step of WRN-22 with and without them, in turn."""

from __future__ import annotations

import time
from statistics import median

import torch
from torch.nn import functional

from bonn_hw.nn.models.bayesian import BayesianLosses
from bonn_hw.nn.models.networks import build

BATCH, PAIRS = 128, 8


def loss_cost() -> tuple[float, float]:
    """Return seconds a step with both losses and without, medians of `PAIRS`."""
    torch.manual_seed(0)
    network = build("wrn22")
    losses = BayesianLosses(network)
    optimiser = torch.optim.SGD(losses.groups(0.01, 5e-4), momentum=0.9, nesterov=True)
    images, labels = torch.randn(BATCH, 3, 32, 32), torch.arange(BATCH) % 10

    def step(bayesian: bool) -> float:
        start = time.perf_counter()
        loss = functional.cross_entropy(network(images), labels)
        if bayesian:
            loss = loss + losses.kernel() + losses.feature(labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return time.perf_counter() - start

    step(True)  # the first one also starts momentum and centres
    pairs = [(step(True), step(False)) for _ in range(PAIRS)]
    return median(a for a, _ in pairs), median(b for _, b in pairs)
