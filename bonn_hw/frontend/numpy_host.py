# SPDX-License-Identifier: BSD-3-Clause
"""The host's part for a board without ONNX Runtime: NumPy operators before, a table after.

Before the accelerator there are only operators that NumPy rounds in the same way. After it each
output depends on one integer, so ONNX Runtime's outputs for all integers make a lookup table. What
joins several of them, such as the class of the largest, follows in NumPy again. All three are
compared with ONNX Runtime before they are written.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, ValueInfoProto

from bonn_hw.driver.steps import OPERATORS, evaluate
from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.host import Host
from bonn_hw.frontend.numpy_steps import Step, steps_of
from bonn_hw.ir.tensor import TensorType

MOST_ANSWERS = 1 << 24  # floats in the table
TRIED = 64  # random frames of a comparison


@dataclass(frozen=True)
class Steps:
    """Operators ``(name, inputs, output)``, constants, and names of input and output tensor."""

    steps: list[Step]
    constants: dict[str, NDArray[Any]]
    entry: str
    exit: str


@dataclass(frozen=True, eq=False)
class Tail:
    """What the driver computes from the accelerator's integers.

    Attributes
    ----------
    host : Host
        The host up to the tensor that the driver returns.
    low : int
        The integer of column 0 of the table.
    table : float32 ``(elements, integers)``
    shape : tuple of int
        Shape of a frame of values from the table.
    steps : Steps or None
        What follows the table.
    ends_before : str
        The operator that the driver does not compute, and where it ends; empty if it computes all.
    """

    host: Host
    low: int
    table: NDArray[np.float32]
    shape: tuple[int, ...]
    steps: Steps | None
    ends_before: str


def head_of(host: Host, images: NDArray[np.float32]) -> Steps | None:
    """Translate the operators before the accelerator; None if there are none.

    Parameters
    ----------
    images : float32 ``(N, *input_shape)``
        Images on which NumPy must equal ONNX Runtime; random frames are compared too.

    Raises
    ------
    UnsupportedModel
        If NumPy does not support an operator, or rounds it in another way.
    """
    if host.head is None:
        return None
    head = _head(host.head)
    rng = np.random.default_rng(0)
    spread = max(1.0, float(np.abs(images).max()))
    tried = rng.uniform(-spread, spread, (TRIED, *host.input_shape)).astype(np.float32)
    for frames in (images, tried):
        values = evaluate(head.steps, head.constants, frames, head.entry, head.exit)
        if not np.array_equal(values, host.head_values(frames)):
            raise UnsupportedModel(
                "pack: the operators before the first quantiser round differently in NumPy and in "
                "ONNX Runtime; simplify them, or quantise the input first"
            )
    return head


def _head(model: ModelProto) -> Steps:
    constants, nodes = _parts(model)
    steps: list[Step] = []
    for node in nodes:
        translated = steps_of(node, constants)
        if translated is None:
            raise UnsupportedModel(
                f"pack: the operator {node.op_type} ({node.name}) before the first quantiser "
                f"cannot run on the board, which supports {', '.join(OPERATORS)}"
            )
        steps += translated
    return _steps(steps, constants, model.graph.input[0].name, model.graph.output[0].name)


def _parts(model: ModelProto) -> tuple[dict[str, NDArray[Any]], list[NodeProto]]:
    from onnx import numpy_helper

    constants = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    return constants, list(model.graph.node)


def _steps(steps: list[Step], constants: dict[str, NDArray[Any]], entry: str, exit_: str) -> Steps:
    used = {name for _, inputs, _ in steps for name in inputs}
    kept = {name: value for name, value in constants.items() if name in used}
    return Steps(steps, kept, entry, exit_)


def tail_of(host: Host, kind: TensorType) -> Tail:
    """Translate what follows the accelerator: a table, then NumPy operators.

    If NumPy cannot compute all of it as ONNX Runtime does, bit for bit, the driver ends before.

    Parameters
    ----------
    kind : TensorType
        Type of the accelerator's output.

    Raises
    ------
    UnsupportedModel
        If the table is too large.
    """
    low, high = kind.element.low, kind.element.high
    if (high - low + 1) * kind.size > MOST_ANSWERS:
        raise UnsupportedModel(
            f"pack: a table of {kind.size} times {high - low + 1} answers is too large: end the "
            "model with a quantiser, or with fewer outputs"
        )
    nodes = [] if host.tail is None else list(host.tail.graph.node)
    ends = [place for place in range(len(nodes), -1, -1) if _one_tensor(host, place)]
    for first in ends:  # the longest part that one table can hold
        table = _table(_until(host, first), kind)
        if table is not None:
            break
    else:
        raise UnsupportedModel("pack: the accelerator's output has no order that the driver knows")
    values, shape = table
    for end in ends:
        steps = _after(host, first, end) if end > first else None
        if end == first or (steps is not None and _equal(host, first, end, steps, kind)):
            before = "" if end == len(nodes) else f"{nodes[end].op_type} ({nodes[end].name})"
            return Tail(_until(host, end), low, values, shape, steps, before)
    raise UnsupportedModel("pack: the table was compared with itself, and differs")


def _tensor(host: Host, place: int) -> str:
    """The tensor behind the first nodes of the tail."""
    if host.tail is None:
        return ""
    graph = host.tail.graph
    if place == len(graph.node):
        name: str = graph.output[0].name
    else:
        name = graph.node[place - 1].output[0] if place else graph.input[0].name
    return name


def _one_tensor(host: Host, place: int) -> bool:
    """Whether the nodes from a place on need only one tensor of those before."""
    if host.tail is None or place == len(host.tail.graph.node):
        return True
    graph = host.tail.graph
    before = {graph.input[0].name, *(name for n in graph.node[:place] for name in n.output)}
    needed = {name for node in graph.node[place:] for name in node.input} & before
    return needed == {_tensor(host, place)}


def _until(host: Host, place: int) -> Host:
    """The host with only the first nodes of its tail."""
    if host.tail is None or place == len(host.tail.graph.node):
        return host
    if not place:
        return replace(host, tail=None, outputs=())
    tail = ModelProto()
    tail.CopyFrom(host.tail)
    del tail.graph.node[place:]
    del tail.graph.output[:]
    tail.graph.output.append(ValueInfoProto(name=_tensor(host, place)))
    return replace(host, tail=tail, outputs=())


def _table(host: Host, kind: TensorType) -> tuple[NDArray[np.float32], tuple[int, ...]] | None:
    """The outputs for every integer, if each element depends on one integer of the same place."""
    low, high = kind.element.low, kind.element.high
    frames = np.repeat(np.arange(low, high + 1)[:, None], kind.size, axis=1)
    answers = host.decode(frames.reshape(-1, *kind.shape))
    if answers.dtype != np.float32:
        return None
    table = np.ascontiguousarray(answers.reshape(len(frames), -1).T)
    order = host.decode_order.reshape(-1)
    if table.shape[0] != order.size:
        return None
    tried = _tried(kind)
    looked_up = table[np.arange(order.size), tried.reshape(TRIED, -1)[:, order] - low]
    same = np.array_equal(looked_up, host.decode(tried).reshape(TRIED, -1), equal_nan=True)
    return (table, answers.shape[1:]) if same else None


def _tried(kind: TensorType) -> NDArray[np.int64]:
    rng = np.random.default_rng(0)
    return rng.integers(kind.element.low, kind.element.high + 1, (TRIED, *kind.shape))


def _after(host: Host, first: int, end: int) -> Steps | None:
    """Translate the nodes of the tail from one place to another; None if one cannot be."""
    if host.tail is None:
        return None
    constants, nodes = _parts(host.tail)
    steps: list[Step] = []
    for node in nodes[first:end]:
        translated = steps_of(node, constants)
        if translated is None:
            return None
        steps += translated
    return _steps(steps, constants, _tensor(host, first), _tensor(host, end))


def _equal(host: Host, first: int, end: int, steps: Steps, kind: TensorType) -> bool:
    """Whether NumPy computes the same as ONNX Runtime, on random frames."""
    tried = _tried(kind)
    tried[::2] = tried[::2, ..., :1]  # equal scores: the first one is chosen
    values, expected = _until(host, first).decode(tried), _until(host, end).decode(tried)
    ours = evaluate(steps.steps, steps.constants, values, steps.entry, steps.exit)
    return ours.dtype == expected.dtype and np.array_equal(ours, expected, equal_nan=True)
