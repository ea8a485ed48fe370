# SPDX-License-Identifier: BSD-3-Clause
"""A value on its way between two layers, and the padding that it has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import NodeProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.context import Context, EarlyPad
from bonn_hw.frontend.evaluate import evaluator
from bonn_hw.frontend.graph_builder import GraphBuilder, Matrix
from bonn_hw.frontend.model import Model
from bonn_hw.frontend.padding import NO_PADS, Pads
from bonn_hw.frontend.pending_ops import PendingOp, PendingOps


class PaddedValue:
    """Integers at the end of a branch, with the operators that are not applied to them yet.

    Attributes
    ----------
    pending : PendingOps
        The range of the integers and the pending operators.
    builder : GraphBuilder
        The end of the branch in the graph: these integers, or with `matrix` that layer's input.
    matrix : Matrix or None
        A matrix layer that is not in the graph yet, because its activation is pending.
    zero_pads, zero_pads_frame : Pads, (H, W)
        An explicit Pad of bits with zeros, which the next convolution absorbs, and the size of the
        frame that it surrounds.
    early_pad : EarlyPad or None
    tensor : str
        Name of the value in the model.
    sums : (str, int64)
        Name of the last matrix layer's sums in the reference, and their order.
    """

    def __init__(
        self, context: Context, pending: PendingOps, builder: GraphBuilder, tensor: str
    ) -> None:
        self.context, self.pending, self.builder = context, pending, builder
        self.tensor = tensor
        self.sums = (tensor, pending.order)
        self.matrix: Matrix | None = None
        self.zero_pads, self.zero_pads_frame = NO_PADS, (0, 0)
        self.early_pad: EarlyPad | None = None

    @property
    def model(self) -> Model:
        """The model."""
        return self.context.model

    def pad(self, name: str, frame: tuple[int, int], pads: Pads, value: float) -> None:
        """Pad the materialised tensor: bits with zero, or with any of the tensor's own values."""
        element, integer = self.builder.kind.element, value / float(self.pending.scale[0])
        if element.bipolar and value == 0:
            self.zero_pads, self.zero_pads_frame = pads, frame
        elif integer % 1 or not element.holds(np.array([int(integer)])):
            raise UnsupportedModel(
                f"{name}: pads with {value:g}, which is not supported: pad bits with zero or "
                "with the value of -1 or +1, and integers with one of their values"
            )
        else:
            self.builder.pad(frame, pads, int(integer), name)

    def _map_zeros(self, node: NodeProto, before: PendingOps) -> None:
        """Apply the pending operators to a Pad with zeros, and pad with the result."""
        pads, self.zero_pads = self.zero_pads, NO_PADS
        value = self._mapped(node.name, np.float32(0), before, before.ops)
        self.pad(node.name, self.zero_pads_frame, pads, value)

    def _pad_early(self, early: EarlyPad, before: PendingOps) -> None:
        """Append a Pad that was before its activation, with its value after the activation."""
        self.early_pad = None
        value = self._mapped(early.name, early.value, before, before.ops[early.place :])
        self.pad(early.name, early.frame, early.pads, value)

    def _mapped(
        self, name: str, value: np.float32, pending: PendingOps, ops: Sequence[PendingOp]
    ) -> float:
        """Apply operators to the value of a padding; the result must be equal in every channel."""
        values = np.full((1, pending.channels), value, np.float32)
        mapped = np.unique(evaluator(ops, pending.channels, self.model)(values))
        if mapped.size != 1:
            raise UnsupportedModel(
                f"{name}: the activation maps its padding to {mapped.size} different values, "
                "depending on the channel; pad after the activation"
            )
        return float(mapped[0])
