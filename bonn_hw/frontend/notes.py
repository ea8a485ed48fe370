# SPDX-License-Identifier: BSD-3-Clause
"""Remarks about layers: one per layer and kind, whatever the number of its channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

LISTED = 4  # channels that a sentence names

ROUNDED = (
    "rounded sums: PyTorch and plain ONNX Runtime round float sums; those of the accelerator are "
    "exact, as the reference's are (docs/models.md)"
)

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
            return f"{self.layer}: rounded sums could change last digits of its float outputs"
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
        return f"{self.layer}: rounded sums could cross a threshold in {self._how_many}"

    @property
    def _how_many(self) -> str:
        if len(self.channels) == self.of:
            return "its only channel" if self.of == 1 else f"all {self.of} channels"
        return f"{len(self.channels)} of {self.of} channels"

    @property
    def _where(self) -> str:
        """The channels too, as far as there is place."""
        if len(self.channels) == self.of:
            return self._how_many
        listed = ", ".join(map(str, self.channels[:LISTED]))
        more = ", ..." if len(self.channels) > LISTED else ""
        return f"{self._how_many} ({listed}{more})"

    @property
    def _constant_remedy(self) -> str:
        if len(self.channels) < self.of:
            return "these channels carry no information, and could be pruned"
        return (
            "the layer carries no information. Brevitas exports a 1-bit QuantReLU like this: use a "
            "QuantIdentity with a binary quantiser, or a QuantReLU of 2 bits"
        )


def sentences(notes: Sequence[Note]) -> tuple[str, ...]:
    """The remarks, one line each, and once what rounded sums are."""
    rounded = any(note.kind in ("rounding", "last digits") for note in notes)
    return (*(note.text for note in notes), *([ROUNDED] if rounded else []))
