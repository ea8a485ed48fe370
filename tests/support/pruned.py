# SPDX-License-Identifier: BSD-3-Clause
"""Networks whose filters are grouped, for the tests of pruning."""

import numpy as np
import torch

from bonn_hw.nn.models.networks import build
from bonn_hw.nn.training.channel_pruning import prunable
from bonn_hw.nn.training.experiment import Experiment
from bonn_hw.nn.training.filter_clustering import Groups

TINY = Experiment(
    network="digits",
    options={"convs": [8, 8], "hidden": [12]},
    dataset="digits",
    epochs=2,
    precision="32",  # on every processor
    batch=50,
    lr=0.01,
)
WRN = {"form": "hardware", "widths": [4, 4, 6, 8], "in_channels": 1, "size": 8}


def network(name, seed=0, **options):
    """A network with batch norms as training leaves them."""
    torch.manual_seed(seed)
    net = build(name, **options)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 1)
            module.running_var.uniform_(1, 9)
            if module.affine:
                module.weight.data.normal_()
                module.bias.data.normal_(0, 0.5)
    return net.eval()


def grouped(net, rate=0.5, **settings):
    return Groups(prunable(net), rate, nu=1e-4, seed=0, **settings)


def on_grid(net, count=20):
    levels = np.random.default_rng(5).integers(-128, 128, (count, *net.input_shape))
    return (levels / 128).astype(np.float32)
