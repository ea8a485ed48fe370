# SPDX-License-Identifier: BSD-3-Clause
"""Remarks about layers: one per layer and kind, whatever the number of its channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LISTED = 4  # channels that a sentence names

Kind = Literal["rounding", "last digits", "pytorch", "constant"]


@dataclass(frozen=True)
class Note:
    """A remark about some channels of a layer.

    Attributes
    ----------
    layer : str
        The layer that computes the values.
    kind : str
        ``rounding``: PyTorch or plain ONNX Runtime, which round their sums, could decide
        otherwise. ``last digits``: their float outputs could differ in the last digits.
        ``pytorch``: the checkpoint decides otherwise, and is followed. ``constant``: the activation
        does not depend on the input.
    channels : tuple of int
        The channels concerned.
    of : int
        Number of channels that the layer has.
    sums : tuple of int
        For each of `channels`, the integer sum at which it happens; empty if it is not one sum.
    """

    layer: str
    kind: Kind
    channels: tuple[int, ...]
    of: int
    sums: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        """The remark as one sentence."""
        if self.kind == "last digits":
            return (
                f"{self.layer}: PyTorch and plain ONNX Runtime round the sums of this last layer, "
                "so their float outputs may differ from the accelerator's in the last digits"
            )
        if self.kind == "pytorch":
            return (
                f"{self.layer}: ONNX Runtime and PyTorch round a sum to different sides of the "
                f"threshold in {self._where}; PyTorch's side is used"
            )
        if self.kind == "constant":
            return (
                f"{self.layer}: the activation has the same value for every input in "
                f"{self._where}; {self._constant_remedy}"
            )
        return (
            f"{self.layer}: in {self._where} a sum can be so close to a threshold that PyTorch and "
            "plain ONNX Runtime, which round it, decide otherwise; the accelerator decides by the "
            "exact sum, as the reference does"
        )

    @property
    def _where(self) -> str:
        if len(self.channels) == self.of:
            return "its only channel" if self.of == 1 else f"all {self.of} channels"
        listed = ", ".join(map(str, self.channels[:LISTED]))
        more = ", ..." if len(self.channels) > LISTED else ""
        return f"{len(self.channels)} of {self.of} channels ({listed}{more})"

    @property
    def _constant_remedy(self) -> str:
        if len(self.channels) < self.of:
            return "these channels carry no information, and could be pruned"
        return (
            "the layer carries no information. Brevitas exports a 1-bit QuantReLU like this: use a "
            "QuantIdentity with a binary quantiser, or a QuantReLU of 2 bits"
        )
