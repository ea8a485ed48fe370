# SPDX-License-Identifier: BSD-3-Clause
"""Classify an activation by its table of values: integers, a 1-bit activation, or neither.

All functions take a `PendingOps` and its table ``(R, C)``: the values of C channels for each of R
possible integers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bonn_hw.errors import UnsupportedModel, UserError
from bonn_hw.frontend.model import Model
from bonn_hw.frontend.notes import Kind, Note
from bonn_hw.frontend.pending_ops import PendingOps
from bonn_hw.kernels.mvu import Mvu
from bonn_hw.kernels.threshold import Threshold

Table = NDArray[np.float32]
REMEDY = "use a quantiser before this layer, bipolar or of several bits"
OTHER_MODEL = "compile the model that was exported from it"


class Activation(Protocol):
    """A 1-bit activation as PyTorch evaluates it (`nn.checkpoint.Activation`)."""

    @property
    def name(self) -> str:
        """Name of the layer."""

    @property
    def function(self) -> Callable[[Table], NDArray[np.int8]]:
        """A function from the values before the activation ``(R, C)`` to −1 and +1."""


def integer_scale(pending: PendingOps, table: Table) -> np.float32 | None:
    """Return the scale s, if the values are s times the integers; otherwise None."""
    domain, inside = pending.domain(), pending.inside()
    near_one = int(np.argmin(np.where(domain == 0, np.inf, np.abs(domain - 1))))
    if domain[near_one] == 0:
        return None
    channel = int(np.argmax(inside[near_one]))
    scale = np.float32(table[near_one, channel] / np.float32(domain[near_one]))
    same = table == (scale * domain.astype(np.float32))[:, None]
    return scale if scale != 0 and bool((same | ~inside).all()) else None


def bipolar_scale(pending: PendingOps, table: Table) -> np.float32 | None:
    """Return the scale s, if all values are −s or +s; otherwise None."""
    values = table[pending.inside()]
    scale = np.float32(np.abs(values).max())
    return scale if scale > 0 and bool((np.abs(values) == scale).all()) else None


def not_an_activation(
    consumer: str, source: str, pending: PendingOps, table: Table, remedy: str
) -> UnsupportedModel:
    """Describe values that are neither integers of a quantiser nor 1-bit activations."""
    inside = pending.inside()
    counts = [len(np.unique(table[inside[:, c], c])) for c in range(pending.channels)]
    return UnsupportedModel(
        f"{consumer}: its input, the activation after {source}, has {max(counts)} values in "
        f"channel {int(np.argmax(counts))} (from {table[inside].min():g} to "
        f"{table[inside].max():g}), which are neither 1-bit nor multiples of one scale: {remedy}"
    )


def falling_channels(consumer: str, pending: PendingOps, table: Table) -> NDArray[np.bool_]:
    """Find channels whose values fall when the sum rises, bool ``(C,)``.

    Raises
    ------
    UnsupportedModel
        If a channel is not monotone, because a maximum does not commute with it.
    """
    inside = pending.inside()
    changes = np.diff(table, axis=0)
    both = inside[1:] & inside[:-1]
    falls = np.asarray(((changes < 0) & both).any(axis=0))
    mixed = falls & ((changes > 0) & both).any(axis=0)
    if mixed.any():
        raise UnsupportedModel(
            f"{consumer}: pools channel {int(np.argmax(mixed))} before its activation, which is "
            "not monotone; pool after the activation"
        )
    return falls


def thresholds(
    source: str, pending: PendingOps, bits: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Find the thresholds of a 1-bit activation ``(R, C)``.

    For sums −2..2, the bits (−, −, +, +, +) mean the threshold 0; the bits (+, +, −, −, −) mean a
    falling channel with the threshold 1 on the negated sum.

    Returns
    -------
    falling : bool ``(C,)``
        Channels that are +1 for small sums; their thresholds apply to the negated sum.
    thresholds : int64 ``(C,)``
        The output is +1 where the sum (negated if falling) is at least this. Channels that are
        always +1 get the lowest sum, channels that are never +1 one more than the highest.

    Raises
    ------
    UnsupportedModel
        If a channel changes its sign more than once.
    """
    domain, inside = pending.domain(), pending.inside()
    both = inside[1:] & inside[:-1]
    changes = ((bits[1:] != bits[:-1]) & both).sum(axis=0)
    if (changes > 1).any():
        channel = int(np.argmax(changes > 1))
        raise UnsupportedModel(
            f"{source}: the activation of channel {channel} is not monotone in the sum (it changes "
            f"{changes[channel]} times); only monotone operators are supported between this layer "
            "and its quantiser"
        )
    falling = np.asarray((~bits[1:] & bits[:-1] & both).any(axis=0))
    on = bits & inside
    first, last = np.argmax(on, axis=0), len(domain) - 1 - np.argmax(on[::-1], axis=0)
    rising = np.where(on.any(axis=0), domain[first], pending.high + 1)
    return falling, np.where(falling, -domain[last], rising)


@dataclass(frozen=True, eq=False)
class Bits:
    """The bits ``(R, C)`` of an activation for every sum, and which channels fall."""

    pending: PendingOps
    bits: NDArray[np.bool_]
    falling: NDArray[np.bool_]


def wrong_thresholds(table: Bits, kernel: Threshold) -> NDArray[np.bool_]:
    """Channels ``(C,)`` in which a kernel of thresholds differs from the bits."""
    pending = table.pending
    ours = (pending.domain()[:, None] >= kernel.thresholds) != kernel.inverted
    return np.asarray(((ours != table.bits) & pending.inside()).any(axis=0))


def wrong_in_unit(table: Bits, corrections: NDArray[np.int64], unit: Mvu) -> NDArray[np.bool_]:
    """Channels ``(C,)`` in which a matrix unit differs from the bits.

    Parameters
    ----------
    corrections : int64 ``(classes, C)``
        The model's sums minus those of the stream, where zeros of padding are streamed as -1.
    """
    pending, levels = table.pending, unit.thresholds_or_offsets
    sums, wrong = pending.domain()[:, None], np.zeros(pending.channels, np.bool_)
    parity = unit.element.bipolar and bool((np.abs(unit.weights) == 1).all())
    for level, correction in zip(levels, corrections, strict=True):
        streamed, possible = sums - correction, pending.inside()
        if parity:  # a sum of n values of -1 and +1 has the parity of n
            possible = possible & ((streamed - unit.weights.shape[1]) % 2 == 0)
        ours = np.where(table.falling, -streamed, streamed) >= level
        wrong |= ((ours != table.bits) & possible).any(axis=0)
    return wrong


def rounding_notes(
    source: str, pending: PendingOps, bits: NDArray[np.bool_], model: Model
) -> list[Note]:
    """Describe channels where the rounding of a float sum could change a bit."""
    if not (pending.error > 0).any():
        return []
    shifted = [pending.table(model, offset) > 0 for offset in (-1.0, 1.0)]
    close = ((shifted[0] != bits) | (shifted[1] != bits)) & pending.inside()
    return _notes(source, "rounding", pending, close)


def constant_channels(pending: PendingOps, bits: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Channels whose bits ``(R, C)`` are the same for every possible sum."""
    inside = pending.inside()
    return np.flatnonzero((bits | ~inside).all(axis=0) | (~bits | ~inside).all(axis=0))


def _notes(source: str, kind: Kind, pending: PendingOps, rows: NDArray[np.bool_]) -> list[Note]:
    """A note about the channels in which some integers ``(R, C)`` are marked; none if no."""
    channels = np.flatnonzero(rows.any(axis=0))
    if not channels.size:
        return []
    first = pending.domain()[np.argmax(rows, axis=0)][channels]
    return [Note(source, kind, tuple(channels.tolist()), rows.shape[1], tuple(first.tolist()))]


def as_pytorch(
    source: str, pending: PendingOps, bits: NDArray[np.bool_], activation: Activation
) -> tuple[NDArray[np.bool_], list[Note]]:
    """Replace the bits by PyTorch's, and describe those that differ.

    Returns
    -------
    bits : bool ``(R, C)``
    notes : list of Note

    Raises
    ------
    UserError
        If the activation belongs to another network.
    """
    try:
        other = np.asarray(activation.function(pending.entry())) > 0
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f"the checkpoint's activation {activation.name} does not fit {source}: {OTHER_MODEL}"
        ) from error
    inside = pending.inside()
    notes = _notes(source, "pytorch", pending, (other != bits) & inside)
    return np.where(inside, other, bits), notes
