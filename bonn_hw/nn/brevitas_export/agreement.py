# SPDX-License-Identifier: BSD-3-Clause
"""An exported file against PyTorch: the decisions of every quantiser, and the outputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import ModelProto
from torch import nn

from bonn_hw.errors import UserError
from bonn_hw.frontend import Model
from bonn_hw.nn.brevitas_export.decisions import NOISE, Decisions, Values, decisions


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How an exported file compares with PyTorch.

    Attributes
    ----------
    frames, equal : int
        Frames that were compared; those with equal outputs (``==``).
    largest : float
        Largest difference of an output, as a share of the largest output.
    decisions : int
        Frames in which a quantiser takes the neighbouring step, because the sum before it is
        rounded differently.
    layer : str
        The first layer with such a step; empty if there is none.
    classes : int
        Frames whose largest output is another one.
    """

    frames: int
    equal: int
    largest: float
    decisions: int
    layer: str
    classes: int

    def __str__(self) -> str:
        if self.equal == self.frames:
            return f"{self.frames} frames: equal to PyTorch"
        text = f"{self.frames} frames: PyTorch's outputs differ by {self.largest:.1e} at most"
        if self.decisions:
            text += (
                f"; in {self.decisions} of them a value, the first in {self.layer}, is one step "
                "away, because its sum is rounded differently"
            )
        if self.classes:
            return f"{text}; {self.classes} have another largest output"
        return f"{text}; the largest output is the same"


def compare(module: nn.Module, model: Model, proto: ModelProto, frames: Values) -> Agreement:
    """Compare a file, as ONNX Runtime executes it, with the module that it was exported from.

    Parameters
    ----------
    module
        In evaluation mode.
    model, proto
        The file, as the frontend reads it, and as it was written.
    frames : float32 ``(N, ...)``

    Raises
    ------
    UserError
        If a quantiser or an output differs by more than the rounding of sums.
    """
    found = decisions(module, model, proto, frames, model)
    if found.wrong is not None:
        raise UserError(
            f"export: the file computes something else than PyTorch: {found.wrong}: Brevitas "
            "exports this layer wrongly, use another one"
        )
    return _outputs(found, model.run(frames))


def _outputs(found: Decisions, ours: Values) -> Agreement:
    pytorch = found.outputs
    if pytorch.shape != ours.shape:
        raise UserError(
            f"export: PyTorch's output has the shape {pytorch.shape[1:]} and the file's "
            f"{ours.shape[1:]}: Brevitas exports this network wrongly"
        )
    flat, other = pytorch.reshape(len(pytorch), -1), ours.reshape(len(ours), -1)
    size = float(np.abs(flat).max()) or 1.0
    far = np.abs(flat.astype(np.float64) - other).max(axis=1) / size
    beyond = ~found.rounded & ~(far <= NOISE)
    if beyond.any():
        frame = int(np.flatnonzero(beyond)[0])
        raise UserError(
            f"export: the file computes something else than PyTorch: frame {frame} differs by "
            f"{far[frame]:.1e} of the largest output, and all quantisers agree: Brevitas exports "
            "what is behind the last one wrongly"
        )
    rounded = [one for one in found.differences if one.rounded]
    return Agreement(
        frames=len(flat),
        equal=int((flat == other).all(axis=1).sum()),
        largest=float(far.max()),
        decisions=len(rounded),
        layer=rounded[0].layer if rounded else "",
        classes=int((flat.argmax(axis=1) != other.argmax(axis=1)).sum()),
    )
