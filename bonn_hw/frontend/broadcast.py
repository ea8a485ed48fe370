# SPDX-License-Identifier: BSD-3-Clause
"""Two branches of different shapes become one shape: a pixel or a channel is repeated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from onnx import NodeProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.channels import select
from bonn_hw.frontend.pending_ops import canonical
from bonn_hw.ir.tensor import TensorType
from bonn_hw.kernels.upsample import Upsample


def aligned(
    node: NodeProto, verb: str, one: Branch, other: Branch
) -> tuple[TensorType, TensorType]:
    """Make materialised branches equal in shape and order; return the types of their streams.

    Parameters
    ----------
    verb : str
        What the node does, for the message: "adds".

    Raises
    ------
    UnsupportedModel
        If neither a pixel that is repeated over the frame, nor a channel, makes them equal.
    """
    shapes = one.pending.order.shape, other.pending.order.shape
    for branch, target in ((one, other), (other, one)):
        _repeat(node, branch, target.pending.order.shape)
    if not np.array_equal(one.pending.order, other.pending.order):
        raise UnsupportedModel(
            f"{node.name}: {verb} {one.source} of shape {shapes[0]} and {other.source} of shape "
            f"{shapes[1]}; only tensors of one layout, and of one shape or one pixel or channel, "
            "are combined"
        )
    kind = one.builder.kind
    return kind, replace(other.builder.kind, shape=kind.shape)  # flattening keeps the stream order


def _repeat(node: NodeProto, branch: Branch, shape: tuple[int, ...]) -> None:
    """Repeat the only channel (1, H, W), or the only pixel (C, 1, 1), where the shape has more."""
    order, channels = branch.pending.order, branch.pending.channels
    if order.ndim != len(shape) or order.ndim not in (2, 3):
        return
    extents = order.shape[1:]
    frame = (extents[0], extents[1] if len(extents) == 2 else 1)
    if not np.array_equal(order, canonical((*frame, channels), order.ndim)):
        return
    if channels == 1 < shape[0]:
        select(branch, node, np.zeros(shape[0], np.int64), "quantise before")
        channels = shape[0]
    if set(extents) == {1} and shape[1:] != extents:
        factors = (shape[1], shape[2] if len(shape) == 3 else 1)
        branch.builder.add(Upsample(branch.builder.framed((1, 1)), factors), node.name)
        repeated = canonical((*factors, channels), order.ndim)
        branch.pending = replace(branch.pending, order=repeated)
