# SPDX-License-Identifier: BSD-3-Clause
"""The host's part for a board without ONNX Runtime: NumPy operators before, a table after.

Before the accelerator there are only operators that NumPy rounds in the same way. After it each
output depends on one integer, so ONNX Runtime's outputs for all integers make a lookup table. Both
are compared with ONNX Runtime before they are written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, helper, numpy_helper

from bonn_hw.driver.steps import OPERATORS, evaluate
from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.host import Host
from bonn_hw.ir.tensor import TensorType

MOST_ANSWERS = 1 << 24  # floats in the table
TRIED = 64  # random frames of a comparison


@dataclass(frozen=True)
class Head:
    """Operators ``(name, inputs, output)``, constants, and names of input and output tensor."""

    steps: list[tuple[str, list[str], str]]
    constants: dict[str, NDArray[Any]]
    entry: str
    exit: str


def head_of(host: Host, images: NDArray[np.float32]) -> Head | None:
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
    head = _translated(host.head)
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


def _translated(model: ModelProto) -> Head:
    graph = model.graph
    constants = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    steps = []
    for node in graph.node:
        inputs = list(node.input)
        attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        if node.op_type == "Transpose":
            name = f"{node.output[0]}_order"
            constants[name] = np.array(attributes.pop("perm"))
            inputs.append(name)
        if node.op_type == "Flatten" and attributes.get("axis", 1) == 1:
            attributes.clear()
        if node.op_type == "Reshape" and not attributes.get("allowzero", 0):
            attributes.clear()
        if node.op_type not in OPERATORS or attributes or not all(inputs):
            raise UnsupportedModel(
                f"pack: the operator {node.op_type} ({node.name}) before the first quantiser "
                f"cannot run on the board, which supports {', '.join(OPERATORS)}"
            )
        steps.append((node.op_type, inputs, node.output[0]))
    used = {name for _, inputs, _ in steps for name in inputs}
    kept = {name: value for name, value in constants.items() if name in used}
    return Head(steps, kept, graph.input[0].name, graph.output[0].name)


def answers_of(host: Host, kind: TensorType) -> tuple[int, NDArray[np.float32], tuple[int, ...]]:
    """Make a table of the model's outputs for every integer.

    Parameters
    ----------
    kind : TensorType
        Type of the accelerator's output.

    Returns
    -------
    low : int
        The integer of column 0.
    table : float32 ``(elements of an output, integers)``
    shape : tuple of int
        Shape of an output.

    Raises
    ------
    UnsupportedModel
        If an output element depends on more than one integer, or the table is too large.
    """
    low, high = kind.element.low, kind.element.high
    count = high - low + 1
    if count * kind.size > MOST_ANSWERS:
        raise UnsupportedModel(
            f"pack: a table of {kind.size} times {count} answers is too large: end the model with "
            "a quantiser, or with fewer outputs"
        )
    integers = np.arange(low, high + 1)
    frames = np.repeat(integers[:, None], kind.size, axis=1).reshape(-1, *kind.shape)
    answers = host.decode(frames)
    shape = answers.shape[1:]
    table = np.ascontiguousarray(answers.reshape(count, -1).T)
    rng = np.random.default_rng(0)
    tried = rng.integers(low, high + 1, (TRIED, *kind.shape))
    order = host.decode_order.reshape(-1)
    if table.shape[0] == order.size:
        looked_up = table[np.arange(order.size), tried.reshape(TRIED, -1)[:, order] - low]
        if np.array_equal(looked_up, host.decode(tried).reshape(TRIED, -1)):
            return low, table, shape
    raise UnsupportedModel(
        "pack: the model's last operators join several outputs: end the model before them and "
        "compute them from the answers"
    )
