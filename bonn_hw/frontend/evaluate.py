# SPDX-License-Identifier: BSD-3-Clause
"""Execute pending operators on values of their channels, with ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend import execute
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.model import Model
from bonn_hw.frontend.pending_ops import PendingOp, channel_axis


def evaluator(
    ops: Sequence[PendingOp], channels: int, model: Model
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Make a function of values ``(R, C)`` from elementwise operators; reshapes are skipped."""
    parts = []
    for moves, group in groupby(ops, key=lambda op: op.moves):
        if not moves:
            run = list(group)
            nodes = [op.node for op in run]
            parts.append(_part(nodes, run[0].order, channels, model))

    def evaluate(values: Array) -> NDArray[np.float32]:
        for part in parts:
            values = part(values)
        return values.astype(np.float32, copy=False)

    return evaluate


def _part(
    nodes: Sequence[NodeProto], order: NDArray[np.int64], channels: int, model: Model
) -> Callable[[Array], Array]:
    feed, output = model.computed(nodes[0])[0], nodes[-1].output[0]
    constants: Mapping[str, Array] = model.constants
    axis = channel_axis(order, channels)
    if axis is None:  # constants are scalars then, so the shape does not matter
        constants = {
            name: np.asarray(value).reshape(()) if np.size(value) == 1 else value
            for name, value in constants.items()
        }
    shape = [-1] + [1] * order.ndim
    if axis is not None:
        shape[1 + axis] = channels
    programs: dict[np.dtype[Any], Callable[[Mapping[str, Array]], Array]] = {}

    def run(values: Array) -> Array:
        feeds = {feed: values.reshape(shape)}
        if values.dtype not in programs:  # numbers or booleans
            programs[values.dtype] = execute.program(nodes, feeds, output, constants, model.opset)
        with np.errstate(all="ignore"):
            result = programs[values.dtype](feeds)
        if result.size != values.size:
            raise UnsupportedModel(
                f"{nodes[-1].name}: the operators from {nodes[0].name} on do not act on each "
                "element separately; only elementwise operators, with constants per channel, are "
                "supported between layers"
            )
        if not np.isfinite(result.astype(np.float64)).all():
            raise UnsupportedModel(
                f"{nodes[-1].name}: the operators from {nodes[0].name} on return values that are "
                "not finite; look for zero variances or divisions by zero"
            )
        return result.reshape(values.shape)

    return run
