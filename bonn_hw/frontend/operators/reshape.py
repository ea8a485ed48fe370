# SPDX-License-Identifier: BSD-3-Clause
"""Operators that move elements: they need no hardware, since the stream keeps its order."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.attributes import Malformed, integers
from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.operator import Kind, Operator


def reshape(branch: Branch, node: NodeProto) -> None:
    """Lower a reshape: the same elements in another shape."""
    order, shape = branch.pending.order, branch.model.shapes.get(node.output[0])
    if shape is None or int(np.prod(shape)) != order.size:
        raise UnsupportedModel(
            f"{node.name}: this {node.op_type} does not keep the batch axis as the first"
        )
    branch.pending = branch.pending.moved(node, order.reshape(shape))


def free_batch(
    node: NodeProto,
    constants: dict[str, Array],
    shapes: Mapping[str, tuple[int, ...]],
    batch: int,
) -> None:
    """Change a Reshape so that it keeps any batch size, not only the exported one."""
    shape = shapes.get(node.output[0])
    if node.input[1] not in constants or shape is None or shape[:1] != (batch,):
        raise UnsupportedModel(
            f"{node.name}: this Reshape does not keep the batch axis; reshape each frame on its own"
        )
    target = f"{node.output[0]}/shape"
    constants[target] = np.array([-1, *shape[1:]], np.int64)
    node.input[1] = target
    del node.attribute[:]


def transpose(branch: Branch, node: NodeProto) -> None:
    """Exchange axes."""
    order = branch.pending.order
    branch.pending = branch.pending.moved(node, transposed(node, order))


def transposed(node: NodeProto, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """An order, without the batch axis, behind a Transpose."""
    axes = integers(node, "perm", ()) or tuple(range(order.ndim, -1, -1))
    if axes[0] != 0:
        raise UnsupportedModel(f"{node.name}: this Transpose moves the batch axis; keep it first")
    if sorted(axes) != list(range(order.ndim + 1)):
        raise Malformed(f"the axes {list(axes)} are not a permutation for {order.ndim + 1} axes")
    return order.transpose([axis - 1 for axis in axes[1:]])


OPERATORS = (
    Operator(
        ("Flatten", "Squeeze", "Unsqueeze"),
        Kind.SHAPE,
        "where they keep the batch axis and only flatten images, or add and drop axes of one",
        reshape,
    ),
    Operator(
        ("Reshape",),
        Kind.SHAPE,
        "where it keeps the batch axis and only flattens images",
        reshape,
        free_batch=free_batch,
    ),
    Operator(
        ("Transpose",), Kind.SHAPE, "where it keeps the batch axis and undoes another", transpose
    ),
)
