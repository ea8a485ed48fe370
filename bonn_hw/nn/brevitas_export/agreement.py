# SPDX-License-Identifier: BSD-3-Clause
"""An exported file against PyTorch: outputs, and the decisions of every quantiser.

Float32 sums depend on their order, so PyTorch and ONNX Runtime differ in the last digits of a sum.
Where such a sum lies next to a threshold, a quantiser takes the neighbouring step. That is all that
may differ: a quantiser with equal inputs has equal outputs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto
from torch import nn

from bonn_hw.errors import UserError
from bonn_hw.frontend import Model
from bonn_hw.nn.brevitas_export.trace import quantiser_of

Values = NDArray[np.float32]
NOISE = 1e-4  # of the largest value: far above the rounding of sums, far below a wrong operator


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
        Values that a quantiser rounds to the neighbouring step, because the sum before it is
        rounded differently.
    layer : str
        The first layer with such a value; empty if there is none.
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
                f"; {self.decisions} values, the first in {self.layer}, are one step away, because "
                "their sums are rounded differently"
            )
        if self.classes:
            return f"{text}; {self.classes} have another largest output"
        return f"{text}; the largest output is the same"


def compare(module: nn.Module, model: Model, proto: ModelProto, frames: Values) -> Agreement:
    """Compare a file with the module that it was exported from.

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
    ours = _of_file(model, proto, frames)
    outputs, theirs = _of_pytorch(module, {quantiser_of(node) for node, *_ in ours}, frames)
    decisions, layer = 0, ""
    seen: dict[str, int] = defaultdict(int)
    for node, before, behind in ours:
        path = quantiser_of(node)
        calls = theirs.get(path, [])
        if seen[path] >= len(calls):
            continue  # PyTorch has no such quantiser: a branch that the trace shares
        pytorch = calls[seen[path]]
        seen[path] += 1
        if pytorch[0].shape != before.shape:
            continue
        scale = np.asarray(model.grids[node.output[0]].scale, np.float64).max()
        count = _steps(node.name, pytorch, (before, behind), float(scale))
        decisions += count
        if count:
            layer = node.name
            break  # what follows has other inputs
    return _outputs(outputs, model.run(frames), decisions, layer)


def _of_file(
    model: Model, proto: ModelProto, frames: Values
) -> list[tuple[NodeProto, Values, Values]]:
    """Every quantiser of activations, with the values before and behind it."""
    computed = {name for node in model.nodes for name in node.output} | {model.input}
    nodes = [
        node
        for node in proto.graph.node
        if quantiser_of(node)
        and node.output[0] in model.grids
        and {node.input[0], node.output[0]} <= computed
    ]
    names = {name for node in nodes for name in (node.input[0], node.output[0])} - {model.input}
    values = {model.input: frames, **model.tensors(frames, sorted(names))} if names else {}
    return [(node, values[node.input[0]], values[node.output[0]]) for node in nodes]


@torch.inference_mode()
def _of_pytorch(
    module: nn.Module, paths: set[str], frames: Values
) -> tuple[Values, dict[str, list[tuple[Values, Values]]]]:
    """The outputs, and for each quantiser its inputs and outputs, one pair for each call."""
    calls: dict[str, list[list[tuple[Values, Values]]]] = defaultdict(list)
    handles = []
    for path in paths:
        try:
            quantiser = module.get_submodule(f"{path}.fused_activation_quant_proxy.tensor_quant")
        except AttributeError:  # another version of Brevitas
            continue
        handles.append(quantiser.register_forward_hook(_keep(calls[path])))
    outputs = []
    for frame in frames:  # the file was traced with a batch of one, and so may the module need it
        for kept in calls.values():
            kept.append([])
        outputs.append(plain(module(torch.from_numpy(frame[None]))).numpy())
    for handle in handles:
        handle.remove()
    joined = {
        path: [
            (np.concatenate([one[0] for one in same]), np.concatenate([one[1] for one in same]))
            for same in zip(*kept, strict=True)
        ]
        for path, kept in calls.items()
    }
    return np.concatenate(outputs), joined


def _keep(kept: list[list[tuple[Values, Values]]]) -> Callable[..., None]:
    def hook(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        kept[-1].append((plain(inputs[0]).numpy().copy(), plain(output).numpy().copy()))

    return hook


def plain(value: Any) -> torch.Tensor:
    """The tensor in what a module of Brevitas returns: a tensor, a QuantTensor or a tuple."""
    if isinstance(value, tuple):  # a QuantTensor is a tuple of its value, its scale, ...
        value = value[0]
    tensor: torch.Tensor = value.detach().cpu()
    return tensor


def _steps(
    layer: str, pytorch: tuple[Values, Values], ours: tuple[Values, Values], scale: float
) -> int:
    """Count the values that are one step away because the inputs are rounded differently."""
    steps = np.rint((ours[1].astype(np.float64) - pytorch[1]) / scale)
    if not steps.any():
        return 0
    differs = steps != 0
    noise = NOISE * max(float(np.abs(pytorch[0]).max()), scale)
    near = np.abs(ours[0].astype(np.float64) - pytorch[0])
    # A sign jumps by two steps: from -1 to +1.
    wrong = differs & ((np.abs(steps) > 2) | (near == 0) | (near > noise))
    if wrong.any():
        place = tuple(int(index) for index in np.argwhere(wrong)[0])
        raise UserError(
            f"export: the file computes something else than PyTorch: {layer} gives "
            f"{ours[1][place]:g} for {ours[0][place]:g}, and PyTorch {pytorch[1][place]:g} for "
            f"{pytorch[0][place]:g} (frame {place[0]}, element {place[1:]}); {int(wrong.sum())} "
            "values differ: Brevitas exports this layer wrongly, use another one"
        )
    return int(differs.sum())


def _outputs(pytorch: Values, ours: Values, decisions: int, layer: str) -> Agreement:
    if pytorch.shape != ours.shape:
        raise UserError(
            f"export: PyTorch's output has the shape {pytorch.shape[1:]} and the file's "
            f"{ours.shape[1:]}: Brevitas exports this network wrongly"
        )
    flat, other = pytorch.reshape(len(pytorch), -1), ours.reshape(len(ours), -1)
    size = float(np.abs(flat).max()) or 1.0
    far = np.abs(flat.astype(np.float64) - other).max(axis=1) / size
    if not decisions and not far.max() <= NOISE:
        raise UserError(
            f"export: the file computes something else than PyTorch: frame {int(far.argmax())} "
            f"differs by {far.max():.1e} of the largest output, and all quantisers agree: Brevitas "
            "exports what is behind the last one wrongly"
        )
    return Agreement(
        frames=len(flat),
        equal=int((flat == other).all(axis=1).sum()),
        largest=float(far.max()),
        decisions=decisions,
        layer=layer,
        classes=int((flat.argmax(axis=1) != other.argmax(axis=1)).sum()),
    )
