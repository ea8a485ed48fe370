# SPDX-License-Identifier: BSD-3-Clause
"""Gather: select channels of a matrix layer; a channel may be selected several times."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.attributes import Malformed, integer
from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.model import Model
from bonn_hw.frontend.operator import Kind, Operator
from bonn_hw.frontend.pending_ops import PendingOps, canonical


def gather(branch: Branch, node: NodeProto) -> None:
    """Select neurons of a matrix layer; one that is selected twice is computed once and copied."""
    index = _channels(node, branch.model)
    matrix, pending = branch.matrix, branch.pending
    if matrix is None or matrix.pools or pending.ops:
        raise UnsupportedModel(
            f"{node.name}: picks channels of {branch.source}; this is supported only directly "
            "after a convolution"
        )
    if index.size and not -len(matrix.weights) <= index.min() <= index.max() < len(matrix.weights):
        raise Malformed(f"channels up to {index.max()} of {len(matrix.weights)}")
    order = np.arange(len(index), dtype=np.int64)
    if pending.order.ndim > 1:  # an image: behind a convolution
        order = canonical((*matrix.pixels, len(index)), pending.order.ndim)
    index = index % len(matrix.weights)  # negative indices count from the end
    branch.matrix = matrix.computed().selected(index)
    branch.pending = PendingOps(
        pending.low[index],
        pending.high[index],
        pending.scale[index],
        pending.error[index],
        order,
    )
    branch.sums = (node.output[0], branch.pending.order)


def _channels(node: NodeProto, model: Model) -> NDArray[np.int64]:
    name = node.input[1]
    if integer(node, "axis", 0) != 1 or name not in model.constants:
        raise UnsupportedModel(
            f"{node.name}: a Gather is supported with constant indices of channels only"
        )
    index = np.asarray(model.constants[name], np.int64)
    if index.ndim != 1:
        raise UnsupportedModel(
            f"{node.name}: indices of shape {index.shape} are not a list of channels"
        )
    return index


OPERATORS = (
    Operator(
        ("Gather",),
        Kind.LAYER,
        "of channels directly after a convolution or a product, as in pruned networks; channels "
        "that are selected twice are computed once",
        gather,
    ),
)
