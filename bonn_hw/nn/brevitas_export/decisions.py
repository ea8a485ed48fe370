# SPDX-License-Identifier: BSD-3-Clause
"""The quantisers of a file against those of the PyTorch module that it was exported from.

Float32 sums depend on their order, so PyTorch's sums differ from the file's in the last digits.
Where such a sum lies next to a threshold, a quantiser takes the neighbouring step. That is all that
may differ: a quantiser with equal inputs has equal outputs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import ModelProto
from torch import nn

from bonn_hw.frontend import Model
from bonn_hw.nn.brevitas_export.evaluated import evaluated
from bonn_hw.nn.brevitas_export.trace import quantiser_of

Values = NDArray[np.float32]
Calls = dict[str, list[tuple[Values, Values]]]  # by quantiser: inputs and outputs of each call
NOISE = 1e-4  # of the largest value: far above the rounding of sums, far below a wrong operator
BATCH = 64  # frames at once


class Source(Protocol):
    """What computes the tensors of a file: `frontend.Model` or `frontend.Reference`."""

    def tensors(self, frames: Values, names: Sequence[str]) -> dict[str, Any]:
        """Values ``(N, ...)`` of tensors."""


@dataclass(frozen=True)
class Difference:
    """The first quantiser of a frame that decides otherwise than PyTorch's.

    Attributes
    ----------
    frame, element
        The place: ``element`` are the indices behind the batch axis, channels first.
    file, pytorch : tuple of float
        The input and the output of the quantiser, in the file and in PyTorch.
    rounded : bool
        Whether the rounding of a sum before it explains all differences of this quantiser.
    """

    layer: str
    frame: int
    element: tuple[int, ...]
    file: tuple[float, float]
    pytorch: tuple[float, float]
    rounded: bool

    def __str__(self) -> str:
        (before, behind), (theirs_before, theirs) = self.file, self.pytorch
        return (
            f"{self.layer}, frame {self.frame}, element {self.element}: {behind:g} for "
            f"{before:.9g}, and PyTorch {theirs:g} for {theirs_before:.9g}"
        )


@dataclass(frozen=True, eq=False)
class Decisions:
    """PyTorch's outputs ``(N, ...)``, and the first difference of each frame that has one."""

    outputs: Values
    differences: tuple[Difference, ...]

    @property
    def wrong(self) -> Difference | None:
        """The first difference that rounding does not explain."""
        return next((one for one in self.differences if not one.rounded), None)

    @property
    def rounded(self) -> NDArray[np.bool_]:
        """Frames ``(N,)`` in which a rounded sum decides otherwise."""
        frames = np.zeros(len(self.outputs), np.bool_)
        frames[[one.frame for one in self.differences if one.rounded]] = True
        return frames


def decisions_of_file(
    module: nn.Module, path: Path, model: Model, frames: Values, source: Source
) -> Decisions:
    """As `decisions`, of a copy of the module in evaluation mode, for a file that exists."""
    return decisions(evaluated(module), model, onnx.load(path), frames, source)


def decisions(
    module: nn.Module, model: Model, proto: ModelProto, frames: Values, source: Source
) -> Decisions:
    """Run a module, and compare all its quantisers with those of a file.

    Parameters
    ----------
    source
        What computes the file's tensors.
    """
    nodes = _quantisers(model, proto)
    outputs, differences = [], []
    for start in range(0, len(frames), BATCH):
        some = frames[start : start + BATCH]
        answer, calls = _run(module, {one.path for one in nodes}, some)
        outputs.append(answer)
        differences += _differences(nodes, calls, _tensors(source, model, nodes, some), start)
    return Decisions(np.concatenate(outputs), tuple(differences))


@dataclass(frozen=True)
class _Place:
    """A quantiser of activations: its layer, its module, its tensors, its scale."""

    layer: str
    path: str
    before: str
    behind: str
    scale: float


def _quantisers(model: Model, proto: ModelProto) -> list[_Place]:
    computed = {name for node in model.nodes for name in node.output} | {model.input}
    return [
        _Place(
            node.name,
            quantiser_of(node),
            node.input[0],
            node.output[0],
            float(np.asarray(model.grids[node.output[0]].scale, np.float64).max()),
        )
        for node in proto.graph.node
        if quantiser_of(node)
        and node.output[0] in model.grids
        and {node.input[0], node.output[0]} <= computed
    ]


def _tensors(
    source: Source, model: Model, places: Sequence[_Place], frames: Values
) -> dict[str, Values]:
    names = {name for one in places for name in (one.before, one.behind)} - {model.input}
    values = source.tensors(frames, sorted(names)) if names else {}
    return {model.input: frames, **values}


def _differences(
    places: Sequence[_Place], calls: Calls, values: Mapping[str, Values], start: int
) -> list[Difference]:
    """The first difference of each frame of a batch that begins with frame ``start``."""
    found: dict[int, Difference] = {}
    seen: dict[str, int] = defaultdict(int)
    for one in places:
        theirs = calls.get(one.path, [])
        if seen[one.path] >= len(theirs):
            continue  # another version of Brevitas, whose quantisers have other parts
        pytorch = theirs[seen[one.path]]
        seen[one.path] += 1
        ours = values[one.before], values[one.behind]
        if pytorch[0].shape != ours[0].shape:
            continue
        steps = np.rint((ours[1].astype(np.float64) - pytorch[1]) / one.scale)
        if not steps.any():
            continue
        noise = NOISE * max(float(np.abs(pytorch[0]).max()), one.scale)
        apart = np.abs(ours[0].astype(np.float64) - pytorch[0])
        # A sign jumps by two steps: from -1 to +1.
        wrong = (steps != 0) & ((np.abs(steps) > 2) | (apart == 0) | (apart > noise))
        for frame in np.flatnonzero((steps != 0).reshape(len(steps), -1).any(axis=1)).tolist():
            bad = wrong[frame].any()
            place = np.argwhere(wrong[frame] if bad else steps[frame] != 0)[0].tolist()
            at = (frame, *place)
            found.setdefault(
                frame,
                Difference(
                    one.layer,
                    start + frame,
                    tuple(place),
                    (float(ours[0][at]), float(ours[1][at])),
                    (float(pytorch[0][at]), float(pytorch[1][at])),
                    not bad,
                ),
            )
    return [found[frame] for frame in sorted(found)]


@torch.inference_mode()
def _run(module: nn.Module, paths: set[str], frames: Values) -> tuple[Values, Calls]:
    """The outputs of a module, and for each quantiser its inputs and outputs."""
    calls: Calls = defaultdict(list)
    handles = []
    for path in paths:
        try:
            quantiser = module.get_submodule(f"{path}.fused_activation_quant_proxy.tensor_quant")
        except AttributeError:  # another version of Brevitas
            continue
        handles.append(quantiser.register_forward_hook(_keep(calls[path])))
    try:
        try:
            outputs = plain(module(torch.from_numpy(frames))).numpy()
        except RuntimeError:  # a module may be written for a batch of one
            outputs = np.zeros(0, np.float32)
        if outputs.ndim and len(outputs) == len(frames):
            return outputs, calls
        parts, single = [], []
        for frame in frames:
            for kept in calls.values():
                kept.clear()
            parts.append(plain(module(torch.from_numpy(frame[None]))).numpy())
            single.append({path: list(kept) for path, kept in calls.items()})
    finally:
        for handle in handles:
            handle.remove()
    joined = {
        path: [
            (np.concatenate([one[0] for one in same]), np.concatenate([one[1] for one in same]))
            for same in zip(*(kept[path] for kept in single), strict=True)
        ]
        for path in calls
    }
    return np.concatenate(parts), joined


def _keep(kept: list[tuple[Values, Values]]) -> Callable[..., None]:
    def hook(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        kept.append((plain(inputs[0]).numpy().copy(), plain(output).numpy().copy()))

    return hook


def plain(value: Any) -> torch.Tensor:
    """The tensor in what a module of Brevitas returns: a tensor, a QuantTensor or a tuple."""
    if isinstance(value, tuple):  # a QuantTensor is a tuple of its value, its scale, ...
        value = value[0]
    tensor: torch.Tensor = value.detach().cpu()
    return tensor
