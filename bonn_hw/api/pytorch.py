# SPDX-License-Identifier: BSD-3-Clause
"""PyTorch's side of a comparison: a network of the user's, one of bonn_hw's, or a run folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bonn_hw import build_folder, pipeline, verification
from bonn_hw.api.exporting import torch_needed
from bonn_hw.report.difference_values import FirstDifference

if TYPE_CHECKING:
    from torch import nn

    from bonn_hw.nn.brevitas_export.decisions import Decisions


@dataclass(frozen=True, eq=False)
class PyTorchSide:
    """What PyTorch computes: a trained network of bonn_hw, or the decisions of any other."""

    trained: verification.Trained | None = None
    decisions: Decisions | None = None

    @property
    def first_difference(self) -> FirstDifference | None:
        """The first quantiser that differs, if rounding does not explain it."""
        wrong = None if self.decisions is None else self.decisions.wrong
        if wrong is None:
            return None
        channel, *pixel = (*wrong.element, 0, 0)[:3] if len(wrong.element) < 3 else wrong.element
        return FirstDifference(
            reference="PyTorch network",
            layer=wrong.layer,
            stage="",
            frame=wrong.frame,
            place=(*pixel, channel),
            value=wrong.file[1],
            expected=wrong.pytorch[1],
            channel=channel,
            values_around=(wrong.file[1],),
            expected_around=(wrong.pytorch[1],),
        )


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
