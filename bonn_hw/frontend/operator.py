# SPDX-License-Identifier: BSD-3-Clause
"""An entry of the table of operators: names, a sentence for the docs, and the lowering."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from onnx import NodeProto

from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.model import QuantGrid


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
    """Standard nodes and constants that replace one operator, and the grid of its output."""

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
        ONNX names that are lowered in the same way.
    kind : Kind
    text : str
        One sentence for docs/models.md: what is supported, and with which limits.
    lower : function or None
        Applies the operator to the branch of its one computed input. None if the operator is never
        applied to a branch (quantisers, and operators that run on the host).
    join : function or None
        Applies it to two branches.
    rewrite : function or None
        Only for quantisers: writes it as standard ONNX operators with the same float32 operations.
    free_batch : function or None
        Changes a node that contains the exported batch size so that it works with any. Arguments:
        the node, the constants, the shapes with the batch axis, and the exported batch size.
    """

    names: tuple[str, ...]
    kind: Kind
    text: str
    lower: Lower | None = None
    join: Join | None = None
    rewrite: Rewrite | None = None
    free_batch: FreeBatch | None = None
