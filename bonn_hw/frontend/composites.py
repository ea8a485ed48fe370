# SPDX-License-Identifier: BSD-3-Clause
"""Nodes that stand for several standard ONNX operators, and act on each element separately.

The lowering walks along a chain: every operator has one computed input. Roundings that ONNX lacks
and thresholds need their input twice, so each of them is one node of the domain ``bonn_hw``. It is
replaced by standard operators wherever nodes are executed or written (`execute.assemble`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

DOMAIN = "bonn_hw"
# For x >= 0 and x < 0: what is added before the operator. Zero is the sum of both parts.
ROUNDINGS = {
    "RoundAwayFromZero": ("Ceil", "Floor", 0.0),
    "RoundTowardsZero": ("Floor", "Ceil", 0.0),
    "RoundHalfAwayFromZero": ("Floor", "Ceil", 0.5),
    "RoundHalfTowardsZero": ("Ceil", "Floor", -0.5),
}
THRESHOLDS = "CountThresholds"
NAMES = (*ROUNDINGS, THRESHOLDS)

Add = Callable[..., str]


def rounding(kind: str, tensor: str, output: str, name: str) -> NodeProto:
    """A node that rounds to whole numbers; ``kind`` is one of `ROUNDINGS`."""
    return helper.make_node(kind, [tensor], [output], name, domain=DOMAIN)


def count_thresholds(
    tensor: str, limits: NDArray[np.float32], output: str, name: str, *, guessed: bool = False
) -> NodeProto:
    """A node that counts the thresholds ``(C or 1, T)`` that an element reaches (>=).

    The channel is axis 1. `guessed`: the file does not say so.
    """
    held = numpy_helper.from_array(np.ascontiguousarray(limits, np.float32), "limits")
    node = helper.make_node(THRESHOLDS, [tensor], [output], name, domain=DOMAIN)
    given = {"limits": held, "guessed": int(guessed)}
    node.attribute.extend(helper.make_attribute(*item) for item in given.items())
    return node


def is_thresholds(node: NodeProto) -> bool:
    """Whether a node counts thresholds."""
    return node.domain == DOMAIN and node.op_type == THRESHOLDS


def ranked(nodes: Iterable[NodeProto], rank: int) -> list[NodeProto]:
    """Copies of nodes; thresholds are told the number of axes of their input, with the batch."""
    copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    for node in filter(is_thresholds, copies):
        node.attribute.append(helper.make_attribute("rank", rank))
    return copies


def shaped(nodes: Iterable[NodeProto]) -> list[NodeProto]:
    """Nodes with the same shapes: an Identity instead of thresholds."""
    return [
        helper.make_node("Identity", node.input, node.output, node.name)
        if is_thresholds(node)
        else node
        for node in nodes
    ]


def rows(node: NodeProto) -> int:
    """Number of channels that a node treats apart; 1: all alike."""
    return len(_limits(node)) if is_thresholds(node) else 1


def expanded(
    nodes: Sequence[NodeProto], opset: int
) -> tuple[list[NodeProto], Mapping[str, NDArray[Any]]]:
    """Replace the nodes of this file by standard operators; returns their constants too."""
    result: list[NodeProto] = []
    constants: dict[str, NDArray[Any]] = {}
    for node in nodes:
        if node.domain == DOMAIN:
            result += _parts(node, opset, constants)
        else:
            result.append(node)
    return result, constants


def _parts(node: NodeProto, opset: int, constants: dict[str, NDArray[Any]]) -> list[NodeProto]:
    parts: list[NodeProto] = []
    base = node.output[0]

    def add(kind: str, *operands: str | NDArray[Any], **attributes: Any) -> str:
        place, names = len(parts), []
        for index, operand in enumerate(operands):
            if isinstance(operand, str):
                names.append(operand)
            else:
                names.append(f"{base}/part{place}/{index}")
                constants[names[-1]] = operand
        output = f"{base}/part{place}"
        label = f"{node.name}/part{place}"
        parts.append(helper.make_node(kind, names, [output], label, **attributes))
        return output

    if node.op_type in ROUNDINGS:
        _add_rounding(add, node)
    else:
        _add_thresholds(add, node, opset)
    parts[-1].output[0] = base
    parts[-1].name = node.name
    return parts


def _add_rounding(add: Add, node: NodeProto) -> None:
    """Both signs on their own, since no ONNX operator rounds away from zero."""
    upper, lower, shift = ROUNDINGS[node.op_type]
    zero = np.asarray(0, np.float32)
    above, below = add("Max", node.input[0], zero), add("Min", node.input[0], zero)
    if shift:
        above = add("Add", above, np.asarray(shift, np.float32))
        below = add("Sub", below, np.asarray(shift, np.float32))
    add("Add", add(upper, above), add(lower, below))


def _add_thresholds(add: Add, node: NodeProto, opset: int) -> None:
    """Compare with all thresholds, along a further axis, and count."""
    limits, rank = _limits(node), _rank(node)
    limits = limits.reshape(len(limits), *[1] * (rank - 2), -1)
    one, zero, axes = np.float32(1), np.float32(0), np.array([rank], np.int64)
    given: tuple[list[NDArray[Any]], dict[str, list[int]]]
    given = ([axes], {}) if opset >= 13 else ([], {"axes": [rank]})
    each = add("Unsqueeze", node.input[0], *given[0], **given[1])
    if opset >= 12:
        reached = add(
            "Where", add("GreaterOrEqual", each, limits), np.asarray(one), np.asarray(zero)
        )
    elif opset >= 9:
        reached = add("Where", add("Less", each, limits), np.asarray(zero), np.asarray(one))
    else:
        reached = add("Cast", add("Not", add("Less", each, limits)), to=TensorProto.FLOAT)
    total = add("ReduceSum", reached, *given[0], **given[1])
    add("Squeeze", total, *given[0], **given[1])


def guessed(node: NodeProto) -> bool:
    """Whether the file does not say that the channels of thresholds are axis 1."""
    return bool(helper.get_node_attr_value(node, "guessed"))


def _rank(node: NodeProto) -> int:
    rank: int = helper.get_node_attr_value(node, "rank")
    return rank


def _limits(node: NodeProto) -> NDArray[np.float32]:
    values = numpy_helper.to_array(helper.get_node_attr_value(node, "limits"))
    return np.asarray(values, np.float32)
