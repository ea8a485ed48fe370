# SPDX-License-Identifier: BSD-3-Clause
"""A run folder -> QONNX file, whether its network is one of bonn_hw's or the user's own."""

from __future__ import annotations

from pathlib import Path

import torch

from bonn_hw.nn.brevitas_export import module
from bonn_hw.nn.export import export
from bonn_hw.nn.own.network import OwnNetwork
from bonn_hw.nn.own.source import OwnName
from bonn_hw.nn.training.checkpoint import Checkpoint

EXAMPLES = 8


def export_run(run: str | Path, path: str | Path) -> None:
    """Write the network of a run as QONNX, atomically.

    Raises
    ------
    UserError
        If the run is missing or unreadable, or the network cannot be exported.
    """
    checkpoint = Checkpoint.load(run)
    if not isinstance(checkpoint.network, OwnNetwork):
        export(checkpoint, path)
        return
    experiment = checkpoint.experiment
    properties = {"network": experiment.network}
    if OwnName.parse(experiment.dataset) is None:
        # Whoever reads the file prepares the data set's images as the training did.
        properties |= {"dataset": experiment.dataset, "transform": experiment.transform}
    export_own(checkpoint.network, path, properties)


def export_own(
    network: OwnNetwork, path: str | Path, properties: dict[str, str] | None = None
) -> module.Exported:
    """Write the user's module itself, so that its layers keep their names.

    Parameters
    ----------
    properties
        What the file says besides the versions.
    """
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(-128, 128, (EXAMPLES, *network.input_shape), generator=generator)
    return module.export(network.module, pixels / 128, path, properties)
