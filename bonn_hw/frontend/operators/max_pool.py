# SPDX-License-Identifier: BSD-3-Clause
"""MaxPool: of bits or integers; before an activation too, where a maximum commutes with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from onnx import NodeProto

from bonn_hw.frontend import activation
from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.operator import Kind, Operator
from bonn_hw.frontend.pending_ops import canonical
from bonn_hw.frontend.windows import pooling, windows
from bonn_hw.kernels.max_pool import MaxPool


def max_pool(branch: Branch, node: NodeProto) -> None:
    """Pool integers; those of a matrix layer that waits are pooled with it."""
    geometry = windows(branch, node, pooling(node))
    scale = branch.integer_scale() if not branch.quantised() else None
    if branch.quantised() or (scale is not None and scale > 0):
        branch.materialise(node)
    else:
        _before_activation(branch, node, scale)
    if branch.matrix is not None:
        pools = (*branch.matrix.pools, (geometry, node.name))
        branch.matrix = replace(branch.matrix, pools=pools)
    else:
        # The lowest value pads, so it never is the maximum.
        branch.builder.pool(MaxPool, geometry, branch.builder.kind.element.low, node.name)
    order = canonical((*geometry.pixels, branch.pending.channels))
    branch.pending = branch.pending.bridged(node, order, moved=True)


def _before_activation(branch: Branch, node: NodeProto, scale: np.float32 | None) -> None:
    """Make bits, or flip falling channels: a maximum commutes with rising operators only."""
    table = branch.pending.table(branch.model)
    if scale is not None:  # a falling multiple of the integers is no maximum of them
        branch.flip_falling_channels(node, table)
        branch.materialise(node)
    elif activation.bipolar_size(branch.pending, table) is not None:
        branch.materialise(node)
    else:
        branch.flip_falling_channels(node, table)


OPERATORS = (
    Operator(("MaxPool",), Kind.LAYER, "any kernel and stride, on bits or integers", max_pool),
)
