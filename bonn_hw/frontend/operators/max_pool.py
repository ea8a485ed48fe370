# SPDX-License-Identifier: BSD-3-Clause
"""MaxPool: of bits or integers; also before an activation that a maximum commutes with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from onnx import NodeProto

from bonn_hw.frontend import activation
from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.operator import Kind, Operator
from bonn_hw.frontend.windows import ordered, pooling, windows
from bonn_hw.kernels.max_pool import MaxPool


def max_pool(branch: Branch, node: NodeProto) -> None:
    """Lower a max pool; the sums of a pending matrix layer are pooled with that layer."""
    kernel, dilation = pooling(node)
    sizes = [(size - 1) * step + 1 for size, step in zip(kernel, dilation, strict=True)]
    geometry = replace(windows(branch, node, (sizes[0], sizes[1])), dilation=dilation)
    scale = branch.integer_scale() if not branch.quantised() else None
    if branch.quantised() or (scale is not None and scale > 0):
        branch.materialise(node)
    else:
        _before_activation(branch, node, scale)
    if branch.matrix is not None:
        pools = (*branch.matrix.pools, (geometry, node.name))
        branch.matrix = replace(branch.matrix, pools=pools)
    else:
        # Padding with the lowest value never changes a maximum.
        branch.builder.pool(MaxPool, geometry, branch.builder.kind.element.low, node.name)
    order = ordered(branch, geometry.pixels, branch.pending.channels)
    branch.pending = branch.pending.past_layer(node, order, moved=True)


def _before_activation(branch: Branch, node: NodeProto, scale: np.float32 | None) -> None:
    """Make bits, or flip falling channels, since a maximum commutes only with rising operators."""
    if scale is not None:  # a negative multiple of the integers turns a maximum into a minimum
        branch.flip_falling_channels(node)
        branch.materialise(node)
    elif activation.bipolar(branch.pending, branch.model) is not None:
        branch.materialise(node)
    else:
        branch.flip_falling_channels(node)


OPERATORS = (
    Operator(
        ("MaxPool",),
        Kind.LAYER,
        "over images and sequences, any kernel, stride and dilation, on bits or integers",
        max_pool,
    ),
)
