# SPDX-License-Identifier: BSD-3-Clause
"""Averages over windows or whole images: a kernel sums up; the division stays pending."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend import execute
from bonn_hw.frontend.attributes import integer, integers
from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.operator import Kind, Operator
from bonn_hw.frontend.padding import NO_PADS, Geometry
from bonn_hw.frontend.pending_ops import PendingOps, canonical, power_of_two
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
    _average(branch, node, geometry)
    if not integer(node, "keepdims", 1):
        branch.pending = replace(branch.pending, order=branch.pending.order.reshape(-1))


def _whole(branch: Branch, node: NodeProto) -> Geometry:
    """One window over the image."""
    frame = image(branch, node, "averaged")
    return Geometry(frame, frame, frame, NO_PADS)


def _average(branch: Branch, node: NodeProto, geometry: Geometry) -> None:
    branch.materialise(node)
    if branch.pending.bipolar:
        raise UnsupportedModel(f"{node.name}: averages bits; quantise to several bits before")
    scale, (height, width) = branch.pending.scale[0], geometry.kernel
    branch.builder.pool(AveragePool, geometry, 0, node.name)
    taps, channels = np.float32(height * width), branch.pending.channels
    order = canonical((*geometry.pixels, channels))
    pending = PendingOps.of(branch.builder.kind.element, channels, scale / taps, order)
    if not power_of_two(taps).all():
        # The model rounds once, in its division.
        sums = (pending.domain().astype(np.float32) * scale).astype(np.float32)
        pending = replace(pending, values=_divided(branch, node, sums, geometry))
    branch.pending = pending


def _divided(
    branch: Branch, node: NodeProto, sums: NDArray[np.float32], geometry: Geometry
) -> NDArray[np.float32]:
    """Execute the model's own average on windows with these sums, ``(R,)``."""
    frames = np.zeros((len(sums), 1, *geometry.kernel), np.float32)
    frames[:, 0, 0, 0] = sums
    feeds = {node.input[0]: frames}
    constants, opset = branch.model.constants, branch.model.opset
    return execute.run([node], feeds, node.output[0], constants, opset).reshape(-1)


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
