# SPDX-License-Identifier: BSD-3-Clause
"""Slice and Split: some channels of a tensor. When a file is read, a Split becomes Slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from onnx import NodeProto, helper

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.attributes import Malformed, integer, integers
from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.channels import flatten, select, settle
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.model import Model
from bonn_hw.frontend.operator import Kind, Operator
from bonn_hw.frontend.pending_ops import channel_axis

REMEDY = "quantise before the channels are split"
INPUTS = 10  # first operator set in which the ends of a Slice are inputs


def slice_channels(branch: Branch, node: NodeProto) -> None:
    """Keep a range of channels, with any step."""
    order = branch.pending.order
    ranges = _ranges(node, branch.model, (0, *order.shape))
    if 0 in ranges:
        raise UnsupportedModel(f"{node.name}: slices the batch axis; keep all frames")
    whole = {axis: range(extent) for axis, extent in enumerate(order.shape, 1)}
    cut = {axis: one for axis, one in ranges.items() if one != whole[axis]}
    if not cut:
        branch.pending = branch.pending.moved(node, order)
        return
    if channel_axis(order, branch.pending.channels) is None:
        settle(branch, node, REMEDY)
    axis, places = channel_axis(branch.pending.order, branch.pending.channels), None
    if axis is None and order.ndim == 1:  # a flattened image: each element is a channel
        flatten(branch)
        axis, places = 0, branch.pending.order
        branch.pending = replace(branch.pending, order=np.arange(order.size, dtype=np.int64))
    others = sorted(place for place in cut if axis is None or place != 1 + axis)
    if others:
        raise UnsupportedModel(
            f"{node.name}: slices axis {others[0]}, which is not that of the channels; only "
            "channels are sliced: crop images before the input"
        )
    (one,) = cut.values()
    if not one:
        raise UnsupportedModel(f"{node.name}: slices no channel at all; leave it out")
    index = np.array(one, np.int64)
    select(branch, node, index if places is None else places[index], REMEDY)


def _ranges(node: NodeProto, model: Model, shape: tuple[int, ...]) -> dict[int, range]:
    """The indices that are kept of each axis that is named."""
    parts = []
    for place, name in enumerate(("starts", "ends", "axes", "steps"), 1):
        if model.opset < INPUTS:
            parts.append(list(integers(node, name, ())))
            continue
        given = node.input[place] if len(node.input) > place else ""
        if given and given not in model.constants:
            raise UnsupportedModel(
                f"{node.name}: its {name} are computed; slices with constant {name} are supported"
            )
        parts.append(np.asarray(model.constants[given]).reshape(-1).tolist() if given else [])
    starts, ends, axes, steps = parts
    axes, steps = axes or list(range(len(starts))), steps or [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise Malformed(f"starts {starts}, ends {ends}, axes {axes}, steps {steps}")
    kept = {}
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if not -len(shape) <= axis < len(shape):
            raise Malformed(f"axis {axis} of {len(shape)}")
        place = axis % len(shape)
        kept[place] = range(*slice(start, end, step).indices(shape[place]))
    return kept


def as_slices(
    nodes: Sequence[NodeProto],
    constants: dict[str, Array],
    shapes: Mapping[str, tuple[int, ...]],
    opset: int,
) -> list[NodeProto]:
    """Replace each Split by a Slice for each output; their ends are added to the constants.

    Parameters
    ----------
    shapes : mapping
        With the batch axis. A Split stays if those of its outputs are not known.
    """
    replaced: list[NodeProto] = []
    for node in nodes:
        known = all(name in shapes for name in (node.input[0], *filter(None, node.output)))
        if node.op_type != "Split" or node.domain not in ("", "ai.onnx") or not known:
            replaced.append(node)
            continue
        axis, start = integer(node, "axis", 0) % len(shapes[node.input[0]]), 0
        for place, output in enumerate(filter(None, node.output)):
            end = start + shapes[output][axis]
            replaced.append(_slice(node, output, place, (start, end, axis), constants, opset))
            start = end
    return replaced


def _slice(
    node: NodeProto,
    output: str,
    place: int,
    ends: tuple[int, int, int],
    constants: dict[str, Array],
    opset: int,
) -> NodeProto:
    named = dict(zip(("starts", "ends", "axes"), ends, strict=True))
    label = f"{node.name}/{place}"
    if opset < INPUTS:
        given: dict[str, Any] = {name: [value] for name, value in named.items()}
        return helper.make_node("Slice", [node.input[0]], [output], label, **given)
    names = []
    for name, value in named.items():
        names.append(f"{output}/{name}")
        constants[names[-1]] = np.array([value], np.int64)
    return helper.make_node("Slice", [node.input[0], *names], [output], label)


OPERATORS = (
    Operator(
        ("Slice", "Split"),
        Kind.LAYER,
        "of channels, with constant ends and any step; of a matrix layer's sums, of bits, or of "
        "integers. Behind the last matrix layer the host does it, along any axis",
        slice_channels,
        host_first=True,
    ),
)
