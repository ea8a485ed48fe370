# SPDX-License-Identifier: BSD-3-Clause
"""Averages over windows or whole images: a kernel sums up; the division stays pending."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from onnx import NodeProto, helper

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.attributes import integer, integers
from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.exact_sums import (
    LARGEST_SUM,
    Nodes,
    largest_error,
    power_of_two,
    usual_error,
)
from bonn_hw.frontend.operator import Kind, Operator
from bonn_hw.frontend.padding import NO_PADS, Geometry
from bonn_hw.frontend.pending_ops import PendingOps, canonical
from bonn_hw.frontend.windows import image, pooling, windows
from bonn_hw.kernels.average_pool import AveragePool


def average_pool(branch: Branch, node: NodeProto) -> None:
    """Lower an average over windows without padding."""
    geometry = windows(branch, node, pooling(node))
    if any(geometry.pads):
        raise UnsupportedModel(
            f"{node.name}: an average pool with pads or ceil_mode is not supported; use sizes "
            "that its windows cover"
        )
    _average(branch, node, geometry)


def global_average_pool(branch: Branch, node: NodeProto) -> None:
    """Lower an average over the whole image."""
    _average(branch, node, _whole(branch, node))


def reduce_mean(branch: Branch, node: NodeProto) -> None:
    """Lower an average over the whole image; without ``keepdims`` the result is a vector."""
    geometry = _whole(branch, node)
    axes = integers(node, "axes", ())
    if not axes and len(node.input) > 1 and node.input[1] in branch.model.constants:
        axes = tuple(np.asarray(branch.model.constants[node.input[1]]).reshape(-1))
    if sorted(int(axis) % 4 for axis in axes) != [2, 3]:
        raise UnsupportedModel(f"{node.name}: only a mean over height and width is supported")
    _average(branch, node, geometry, flat=not integer(node, "keepdims", 1))


def _whole(branch: Branch, node: NodeProto) -> Geometry:
    """One window over the image."""
    frame = image(branch, node, "averaged")
    return Geometry(frame, frame, frame, NO_PADS)


def _average(branch: Branch, node: NodeProto, geometry: Geometry, flat: bool = False) -> None:
    branch.materialise(node)
    branch.widen(node.name)
    taps, scale = geometry.kernel[0] * geometry.kernel[1], branch.pending.scale[0]
    largest = taps * int(np.abs([branch.pending.low.min(), branch.pending.high.max()]).max())
    if largest > LARGEST_SUM:
        raise UnsupportedModel(
            f"{node.name}: sums {taps} values to integers up to {largest}, and float32 has only "
            f"those up to {LARGEST_SUM}: quantise to fewer bits before"
        )
    branch.builder.pool(AveragePool, geometry, 0, node.name)
    element, channels = branch.builder.kind.element, branch.pending.channels
    pending = PendingOps.of(element, channels, scale, canonical((*geometry.pixels, channels)))
    error = 0.0 if power_of_two(scale).all() else usual_error(taps, largest)
    pending = replace(pending, error=np.full(channels, error))
    # The division is an operator of its own: it rounds unless it is by a power of two.
    image, total, count = (f"{node.output[0]}/{name}" for name in ("image", "sum", "count"))
    branch.context.add_constant(count, np.asarray(taps, np.float32))
    output = image if flat else node.output[0]
    after = [helper.make_node("Div", [total, count], [output], node.name)]
    pending = pending.then(after[0], branch.model)
    if flat:
        after.append(helper.make_node("Flatten", [image], [node.output[0]], f"{node.name}/flat"))
        pending = pending.moved(after[1], pending.order.reshape(-1))
    branch.pending = pending
    parts = Nodes(node, branch.model.opset)
    ones = np.ones((channels, 1, *geometry.kernel), np.float32)
    integers = parts.integers(branch.tensor, scale)
    sums = parts.add("Conv", integers, ones, group=channels, strides=geometry.stride)
    parts.scaled(sums, pending.scale, 4)
    parts.end(total)
    parts.nodes += after
    parts.constants[count] = branch.model.constants[count]
    bound = 0.0 if error == 0.0 else largest_error(taps + 8, largest * float(scale) / taps)
    branch.context.parts.replace(node, parts, np.full(channels, bound))


OPERATORS = (
    Operator(
        ("AveragePool",),
        Kind.LAYER,
        "any kernel and stride without pads, on integers",
        average_pool,
    ),
    Operator(("GlobalAveragePool",), Kind.LAYER, "on integers", global_average_pool),
    Operator(("ReduceMean",), Kind.LAYER, "over height and width, on integers", reduce_mean),
)
