# SPDX-License-Identifier: BSD-3-Clause
"""PyTorch's side of a comparison: a network of the user's, one of bonn_hw's, or a run folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bonn_hw import build_folder, pipeline
from bonn_hw.api.exporting import torch_needed

if TYPE_CHECKING:
    from torch import nn

    from bonn_hw.nn.brevitas_export.decisions import Decisions


@dataclass(frozen=True, eq=False)
class PyTorchSide:
    """What PyTorch computes: a trained network of bonn_hw, or the decisions of any other."""

    trained: pipeline.Trained | None = None
    decisions: Decisions | None = None


def pytorch_side(
    network: nn.Module | str | Path | None, build: build_folder.Build, frames: NDArray[np.float32]
) -> PyTorchSide:
    """Run a network on frames, unless it is one of bonn_hw's, which `pipeline` runs."""
    if network is None:
        return PyTorchSide()
    with torch_needed("compare"):
        from bonn_hw.nn.brevitas_export.decisions import decisions_of_file
        from bonn_hw.nn.models.network import Network
        from bonn_hw.nn.training.checkpoint import Checkpoint
    if isinstance(network, str | Path):
        return PyTorchSide(trained=Checkpoint.load(network))
    if isinstance(network, Network):
        return PyTorchSide(trained=Checkpoint(network))
    path = build.folder / "model.onnx"
    model: Any = pipeline.read_model(path)
    return PyTorchSide(decisions=decisions_of_file(network, path, model, frames, build.reference))
