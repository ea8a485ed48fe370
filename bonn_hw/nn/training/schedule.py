# SPDX-License-Identifier: BSD-3-Clause
"""The optimiser of an experiment, and the factor of its learning rates in each step."""

from __future__ import annotations

import math
from typing import Any

import torch

from bonn_hw.nn.training.experiment import Experiment


def optimiser(experiment: Experiment, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """The optimiser of the parameter `groups`, each with its weight decay."""
    e = experiment
    if e.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=e.lr, momentum=e.momentum, nesterov=e.nesterov)
    if e.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=e.lr)
    return torch.optim.Adam(groups, lr=e.lr)


def rate_factor(experiment: Experiment, step: int, per_epoch: int) -> float:
    """The factor of all learning rates in training step `step`, from 0 on.

    Parameters
    ----------
    per_epoch
        Steps of an epoch.
    """
    e = experiment
    # The last step of the warm-up is the first at the full rate.
    return _scheduled(e, step, per_epoch) * min(1.0, (step + 1) / max(1, e.warm_up * per_epoch))


def _scheduled(e: Experiment, step: int, per_epoch: int) -> float:
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
