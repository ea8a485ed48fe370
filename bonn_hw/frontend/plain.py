# SPDX-License-Identifier: BSD-3-Clause
"""ONNX Runtime on the file as it is, whose float sums are rounded, against the reference.

The two differ in the last digits of sums. Where such a sum lies next to a threshold, a quantiser
behind it decides otherwise, and so may all that follows. Such a difference is explained if every
layer of the file, executed on the reference's own inputs of that layer, stays within the rounding
of a sum. Anything else is a mismatch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.model import Model
from bonn_hw.frontend.outputs import whole_numbers
from bonn_hw.frontend.pending_ops import along
from bonn_hw.frontend.reference import BATCH, IntegerTensor, Reference

SHOWN = 20  # steps that are kept, of the first frames
FILE = "/file"  # behind the name of a layer's output as the file computes it


@dataclass(frozen=True)
class Step:
    """A value that ONNX Runtime rounds to another integer than the reference."""

    frame: int
    layer: str
    channel: int


@dataclass(frozen=True, eq=False)
class PlainComparison:
    """The reference and ONNX Runtime on the file as it is.

    Attributes
    ----------
    last_place : bool ``(N,)``
        Frames whose outputs differ in the last digits only.
    largest_ulp : float
        The largest difference among them, in units in the last place of the frame's largest
        output.
    other_decisions : bool ``(N,)``
        Frames in which a value is rounded to another integer, because a rounded sum is on the
        other side of a threshold.
    unexplained : bool ``(N,)``
        Frames that differ, and no rounding of sums explains it.
    steps : tuple of Step
        The first of the other decisions, at the layer where each arises.
    """

    last_place: NDArray[np.bool_]
    largest_ulp: float
    other_decisions: NDArray[np.bool_]
    unexplained: NDArray[np.bool_]
    steps: tuple[Step, ...]


def compare(
    model: Model,
    reference: Reference,
    frames: NDArray[np.float32],
    expected: Array,
    plain: Array,
) -> PlainComparison:
    """Compare the outputs of the reference and of the plain file ``(N, ...)`` for frames."""
    count = len(frames)
    differs = ((expected != plain) & ~(np.isnan(expected) & np.isnan(plain))).reshape(count, -1)
    places = np.flatnonzero(differs.any(axis=1))
    other, unexplained = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    steps: list[Step] = []
    for start in range(0, len(places), BATCH):
        some = places[start : start + BATCH]
        for bad in beyond_rounding(model, reference, frames[some]).values():
            unexplained[some] |= bad
        if not reference.rounds:
            unexplained[some] = True
        for step in _steps(model, reference, frames[some]):
            place = int(some[step.frame])
            other[place] = True
            steps.append(Step(place, step.layer, step.channel))
    # Integers in the output, such as a class, are decisions.
    whole = whole_numbers(model.outputs)
    other |= differs[:, whole].any(axis=1) & ~unexplained
    last = np.zeros(count, np.bool_)
    last[places] = True
    last &= ~other & ~unexplained
    return PlainComparison(
        last,
        _largest_ulp(expected[last], plain[last]),
        other & ~unexplained,
        unexplained,
        tuple(step for step in steps[:SHOWN] if not unexplained[step.frame]),
    )


def beyond_rounding(
    model: Model, reference: Reference, frames: NDArray[np.float32]
) -> dict[str, NDArray[np.bool_]]:
    """For each layer, the frames in which the file's sum is too far from the reference's.

    Each layer of the file is executed on the reference's inputs of that layer.
    """
    if not reference.sums:
        return {}
    nodes = file_layers(model, reference)
    names = [one.output for one in reference.sums]
    names += [node.output[0] for node in nodes]
    return too_far(reference, reference.tensors(frames, names, nodes, model.constants))


def file_layers(model: Model, reference: Reference) -> list[NodeProto]:
    """The layers of the file that the reference computes by other operators, on its tensors."""
    by_name = {node.name: node for node in model.nodes}
    return [_renamed(by_name[one.layer]) for one in reference.sums]


def too_far(reference: Reference, values: Mapping[str, Array]) -> dict[str, NDArray[np.bool_]]:
    """What `beyond_rounding` returns, from the sums and the outputs of `file_layers`."""
    found: dict[str, NDArray[np.bool_]] = {}
    for one in reference.sums:
        ours, plain = values[one.output], values[one.output + FILE]
        bound = np.array(one.bound).reshape(-1, *[1] * (ours.ndim - 2))
        far = ~(np.abs(ours.astype(np.float64) - plain) <= bound)
        found[one.layer] = np.asarray(far.reshape(len(ours), -1).any(axis=1))
    return found


def _renamed(node: NodeProto) -> NodeProto:
    plain = NodeProto()
    plain.CopyFrom(node)
    plain.name, plain.output[0] = node.name + FILE, node.output[0] + FILE
    return plain


def _steps(model: Model, reference: Reference, frames: NDArray[np.float32]) -> list[Step]:
    """For each frame, the first layer with another integer, and its first such channel."""
    made = {name for node in model.nodes for name in node.output}
    layers = [one for one in reference.integers if one.tensor in made]
    names = [one.tensor for one in layers]
    if not layers:
        return []
    ours, plain = reference.tensors(frames, names), model.tensors(frames, names)
    found: dict[int, Step] = {}
    for one in layers:
        differs = _integers(one, ours[one.tensor]) != _integers(one, plain[one.tensor])
        by_frame = np.moveaxis(differs, one.axis, -1).reshape(
            len(frames), -1, differs.shape[one.axis]
        )
        for frame in np.flatnonzero(by_frame.any(axis=(1, 2))).tolist():
            index = int(np.argmax(by_frame[frame].any(axis=0)))
            channel = one.channels[index] if one.channels else index
            found.setdefault(frame, Step(frame, one.layer, channel))
    return [found[frame] for frame in sorted(found)]


def _integers(layer: IntegerTensor, values: NDArray[np.float32]) -> NDArray[np.float64]:
    scale = np.array(layer.scale, np.float64).reshape(along(layer.axis, values.ndim))
    rounded: NDArray[np.float64] = np.rint(values / scale)
    return rounded


def _largest_ulp(ours: Array, plain: Array) -> float:
    if not len(ours):
        return 0.0
    ours, plain = ours.reshape(len(ours), -1), plain.reshape(len(ours), -1)
    largest = np.maximum(np.abs(ours).max(axis=1), np.finfo(np.float32).tiny)
    difference = np.abs(ours.astype(np.float64) - plain).max(axis=1)
    return round(float((difference / np.spacing(largest)).max()), 2)
