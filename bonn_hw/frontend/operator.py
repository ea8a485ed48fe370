# SPDX-License-Identifier: BSD-3-Clause
"""An entry of the table of operators: names, a sentence for the docs, and the lowering."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.model import QuantGrid

LARGEST = 1 << 22  # integers that every operator set rounds


class NoGrid(UnsupportedModel):
    """A quantiser whose outputs have no integers of their own; of a constant it is computed."""


class Kind(IntEnum):
    """How the lowering treats an operator, in the order of docs and messages."""

    QUANTISER = 0  # becomes standard operators when a file is read
    MATRIX = 1  # a product with weights; its sums stay pending until their activation
    LAYER = 2  # becomes kernels
    JOIN = 3  # has two branches as inputs; with a constant operand it is elementwise
    ELEMENTWISE = 4  # stays pending until the next quantiser
    SHAPE = 5  # moves elements; stays pending like the elementwise ones
    HEAD = 6  # runs on the host, before the first quantiser
    TAIL = 7  # runs on the host, after the last layer


@dataclass(frozen=True)
class StandardOnnx:
    """Nodes and constants that replace one operator.

    Attributes
    ----------
    grid : QuantGrid or None
        The grid of the outputs, if they have one.
    trials : float32
        Values, channels at their axis, on which nodes and definition must agree.
    """

    nodes: tuple[NodeProto, ...]
    constants: Mapping[str, Array]
    grid: QuantGrid | None
    trials: NDArray[np.float32]


def trials(points: Iterable[float], scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values round some integers, in quarters of a step, times each scale."""
    near = np.arange(-2, 2.25, 0.25)
    steps = np.unique(np.concatenate([point + near for point in points]))
    steps = steps[np.abs(steps) <= LARGEST]
    values = steps.reshape(-1, *[1] * max(1, scale.ndim)) * scale.astype(np.float64)
    rounded: NDArray[np.float32] = values.astype(np.float32)
    return rounded


Lower = Callable[[Branch, NodeProto], None]
Join = Callable[..., None]  # of a branch, the node, and one or more branches
FreeBatch = Callable[[NodeProto, dict[str, Array], Mapping[str, tuple[int, ...]], int], None]
Definition = Callable[[NodeProto, Array, Sequence[Array]], Array]
Rewrite = Callable[[NodeProto, Mapping[str, Array], int], StandardOnnx]


@dataclass(frozen=True)
class Operator:
    """One entry of the table.

    Attributes
    ----------
    names : tuple of str
        ONNX names that are lowered in the same way.
    kind : Kind
    text : str
        One sentence for docs/models.md: what is supported, and with which limits.
    lower : function or None
        Applies the operator to the branch of its one computed input. None if the operator is never
        applied to a branch (quantisers, and operators that run on the host).
    join : function or None
        Applies it to two branches or more: ``join(branch, node, *others)``.
    rewrite : function or None
        Only for quantisers: writes it as standard ONNX operators with the same float32 operations.
    definition : function or None
        Only for quantisers: qonnx's own function of a node, the values and its other inputs.
    free_batch : function or None
        Changes a node that contains the exported batch size so that it works with any. Arguments:
        the node, the constants, the shapes with the batch axis, and the exported batch size.
    onnx : bool
        Whether this quantiser is an operator of standard ONNX (`integer_tensors`).
    host_first : bool
        Whether the host does it behind the last matrix layer, if it can go on from there: it only
        moves elements, which costs the host nothing.
    internal : bool
        Whether no file has this operator: it is made when a file is read (`composites`).
    """

    names: tuple[str, ...]
    kind: Kind
    text: str
    lower: Lower | None = None
    join: Join | None = None
    rewrite: Rewrite | None = None
    definition: Definition | None = None
    free_batch: FreeBatch | None = None
    onnx: bool = False
    host_first: bool = False
    internal: bool = False
