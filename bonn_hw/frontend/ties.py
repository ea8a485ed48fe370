# SPDX-License-Identifier: BSD-3-Clause
"""Give the reference PyTorch's side of a threshold, where ONNX Runtime rounds to the other side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from bonn_hw.errors import InternalError
from bonn_hw.frontend.model import Model
from bonn_hw.frontend.pending_ops import PendingOps, along, channel_axis
from bonn_hw.frontend.reference import ReferenceParts
from bonn_hw.frontend.staircase import Array


def correct_ties(
    parts: ReferenceParts,
    pending: PendingOps,
    differs: tuple[Array, Array, Array],
    activation: str,
    model: Model,
) -> None:
    """Turn the bits of an activation whose sum is one of some integers.

    Parameters
    ----------
    differs : int64 ``(D,)`` each
        The integers whose bit is turned, as ranges in ascending order: channel, first, last.
    activation : str
        Tensor of the activation, whose values are plus and minus one scale.
    """
    if not pending.ops:
        raise InternalError(f"{activation} is an activation without operators")
    place = 0
    nodes: list[NodeProto] = []

    def add(kind: str, *inputs: str, **attributes: Any) -> str:
        nonlocal place
        place += 1
        output = f"{activation}/tie{place}"
        nodes.append(helper.make_node(kind, list(inputs), [output], output, **attributes))
        return output

    one, two, least = (f"{activation}/{name}" for name in ("one", "two", "least"))
    for name, value in ((one, 1), (two, 2), (least, 1.4e-45)):
        parts.constants[name] = np.array(value, np.float32)
    entry, result = model.computed(pending.ops[0].node)[0], f"{activation}/plain"
    for row, integers in enumerate(_rows(pending, *differs)):
        chosen = f"{activation}/integers{row}"
        order = pending.ops[0].order
        axis = channel_axis(order, pending.channels) or 0
        parts.constants[chosen] = integers.reshape(along(1 + axis, 1 + order.ndim))
        # 1 where the value is the chosen one, and 0 elsewhere; NaN is less than nothing.
        hit = add("Less", add("Abs", add("Sub", entry, chosen)), least)
        hit = add("Cast", hit, to=TensorProto.FLOAT)
        sign = add("Sub", one, add("Mul", hit, two))
        for op in pending.ops:
            if op.moves:
                moved = NodeProto()
                moved.CopyFrom(op.node)
                moved.name = f"{op.node.name}/tie{row}"
                moved.input[0], moved.output[0] = sign, f"{op.output}/tie{row}"
                nodes.append(moved)
                sign = moved.output[0]
        result = add("Mul", result, sign)
    nodes[-1].output[0] = activation
    parts.after[activation] = tuple(nodes)


def _rows(
    pending: PendingOps, channel: Array, first: Array, last: Array
) -> Iterator[NDArray[np.float32]]:
    """The values of the integers ``(C,)``, one of each channel at a time; NaN: none is left."""
    step = 2 if pending.bipolar else 1
    integers: list[list[int]] = [[] for _ in range(pending.channels)]
    for place, low, high in zip(channel.tolist(), first.tolist(), last.tolist(), strict=True):
        integers[place] += range(low, high + 1, step)
    for row in range(max(map(len, integers))):
        some = np.array([[one[row] if row < len(one) else 0 for one in integers]], np.int64)
        left = np.array([row < len(one) for one in integers])
        yield np.where(left, pending.entry(some)[0], np.nan).astype(np.float32)
