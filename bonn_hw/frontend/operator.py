# SPDX-License-Identifier: BSD-3-Clause
"""What the table says of an operator: its names, a sentence for the docs, and what it becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from onnx import NodeProto

from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.model import QuantGrid


class Kind(IntEnum):
    """What an operator is to the lowering, in the order of docs and messages."""

    QUANTISER = 0  # becomes standard operators when a file is read
    MATRIX = 1  # products with weights; its sums wait for their activation
    LAYER = 2  # becomes kernels
    JOIN = 3  # takes two branches; with a constant operand it is elementwise
    ELEMENTWISE = 4  # waits for the quantiser behind it
    SHAPE = 5  # moves elements, waits with the elementwise ones
    HEAD = 6  # runs on the host, before the first quantiser
    TAIL = 7  # runs on the host, behind the last layer


@dataclass(frozen=True)
class StandardOnnx:
    """Standard nodes and constants in the place of one operator, and the grid of its output."""

    nodes: tuple[NodeProto, ...]
    constants: Mapping[str, Array]
    grid: QuantGrid


Lower = Callable[[Branch, NodeProto], None]
Join = Callable[[Branch, NodeProto, Branch], None]
FreeBatch = Callable[[NodeProto, dict[str, Array], Mapping[str, tuple[int, ...]], int], None]
Rewrite = Callable[[NodeProto, Mapping[str, Array], int], StandardOnnx]


@dataclass(frozen=True)
class Operator:
    """One entry of the table.

    Attributes
    ----------
    names : tuple of str
        ONNX names that are lowered alike.
    kind : Kind
    text : str
        One sentence for docs/models.md: what is supported, and with which limits.
    lower : function or None
        Applies the operator to the branch that ends in its one computed input. None where the
        operator never meets a branch (quantisers, and what runs on the host).
    join : function or None
        Applies it to two branches.
    rewrite : function or None
        Of a quantiser: the same float32 operations as standard ONNX operators.
    free_batch : function or None
        Lets a node that states the exported batch take any: it gets the constants, the shapes
        with the batch axis, and the exported batch.
    """

    names: tuple[str, ...]
    kind: Kind
    text: str
    lower: Lower | None = None
    join: Join | None = None
    rewrite: Rewrite | None = None
    free_batch: FreeBatch | None = None
