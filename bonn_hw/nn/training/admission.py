# SPDX-License-Identifier: BSD-3-Clause
"""Refuses an experiment whose parts do not fit each other, before anything is written."""

from __future__ import annotations

from bonn_hw.errors import UserError
from bonn_hw.nn.data.image_folder import ImageFolder
from bonn_hw.nn.data.labelled_images import Dataset
from bonn_hw.nn.models.binary_layers import binary_layers
from bonn_hw.nn.models.network import Network
from bonn_hw.nn.training.experiment import Experiment


def admit(experiment: Experiment, network: Network, dataset: Dataset | ImageFolder) -> None:
    """Refuse an experiment whose network, data and settings do not fit.

    Raises
    ------
    UserError
        With the first thing that does not fit.
    """
    e = experiment
    size = network.input_shape[1]
    # Images of a folder are cropped to the network's input size.
    shape = (3, size, size) if isinstance(dataset, ImageFolder) else dataset.images.shape[1:]
    if shape != network.input_shape:
        raise UserError(
            f"experiment: network {e.network} takes images {network.input_shape}, but "
            f"{e.dataset} with transform {e.transform} gives {shape} (C, H, W); "
            "set in_channels and the size in [network], or transform in [data]"
        )
    if len(dataset.classes) != network.classes:
        raise UserError(
            f"experiment: network {e.network} has {network.classes} classes, but "
            f"{e.dataset} has {len(dataset.classes)}; set [network] classes"
        )
    if e.warm_up > e.epochs:
        raise UserError(
            f"experiment: warm_up is {e.warm_up} epochs, but the main schedule has {e.epochs}; the "
            "rates must have risen when it ends: set [training] warm_up lower"
        )
    if e.kurtosis and not binary_layers(network):
        raise UserError(
            f"experiment: kurtosis {e.kurtosis} weighs a loss of 1-bit weights, and the network "
            "has none; set it to 0, or use another [network] method"
        )
