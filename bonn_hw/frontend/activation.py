# SPDX-License-Identifier: BSD-3-Clause
"""Classify an activation by its values: integers, a 1-bit activation, or neither."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bonn_hw.errors import UnsupportedModel, UserError
from bonn_hw.frontend import steps
from bonn_hw.frontend.model import Model
from bonn_hw.frontend.notes import Kind, Note
from bonn_hw.frontend.pending_ops import PendingOps
from bonn_hw.frontend.staircase import Array, Staircase, gather

Table = NDArray[np.float32]
REMEDY = "use a quantiser before this layer, bipolar or of several bits"
OTHER_MODEL = "compile the model that was exported from it"
COUNTED = 1 << 22  # values that are counted for a message


class Activation(Protocol):
    """A 1-bit activation as PyTorch evaluates it (`nn.checkpoint.Activation`)."""

    @property
    def name(self) -> str:
        """Name of the layer."""

    @property
    def function(self) -> Callable[[Table], NDArray[np.int8]]:
        """A function from the values before the activation ``(R, C)`` to −1 and +1."""


def integer_scale(pending: PendingOps, model: Model) -> np.float32 | None:
    """Return the scale s, if the values are s times the integers; otherwise None."""
    low, high = (-1, 1) if pending.bipolar else (int(pending.low.min()), int(pending.high.max()))
    if low == high == 0:
        return None
    near_one = min(max(low, 1), high) or -1
    channel = int(np.argmax((pending.low <= near_one) & (near_one <= pending.high)))
    values = steps.evaluate(pending, model)
    one = np.full((1, pending.channels), near_one, np.int64)
    scale = np.float32(values(one)[0, channel] / np.float32(near_one))

    def same(integers: Array) -> NDArray[np.bool_]:
        inside = (integers >= pending.low) & (integers <= pending.high)
        equal: NDArray[np.bool_] = values(integers) == scale * integers.astype(np.float32)
        return equal | ~inside

    if scale == 0 or not same(steps.samples(pending)).all():
        return None
    return scale if all(part.all() for _, part in steps.slices(pending, same)) else None


def bipolar(pending: PendingOps, model: Model) -> tuple[np.float32, Staircase] | None:
    """Return the scale s and where the values are +s, if all are −s or +s; otherwise None."""
    ends = steps.evaluate(pending, model)(pending.low[None])
    scale = np.float32(np.abs(ends[0, 0]))
    if scale == 0 or (np.abs(ends[0]) != scale).any():
        return None
    # The samples spare the evaluation of a large range of values of many bits.
    tried = steps.evaluate(pending, model)(steps.samples(pending))
    if (np.abs(tried) != scale).any():
        return None

    def classes(values: Table) -> Array:  # 1 and 3 are the scale; the others lie between or outside
        ordered = [values >= -scale, values > -scale, values >= scale, values > scale]
        total: Array = np.sum(ordered, axis=0, dtype=np.int64)
        return total

    stairs = steps.staircase(pending, model, classes)
    if not np.isin(stairs.value, (1, 3)).all():
        return None
    return scale, stairs.mapped(stairs.value // 2)


def positive(pending: PendingOps, model: Model, offset: float) -> Staircase:
    """Where the values are positive, if the sums are shifted by a multiple of their error."""
    return steps.staircase(pending, model, lambda values: (values > 0).astype(np.int64), offset)


def distinct(pending: PendingOps, model: Model, most: int) -> Table | None:
    """All values, ascending; None if they are more than `most`."""
    found = np.zeros(0, np.float32)
    for integers, table in steps.slices(pending, steps.evaluate(pending, model)):
        grid = integers[:, None]
        found = np.union1d(found, table[(grid >= pending.low) & (grid <= pending.high)])
        if len(found) > most:
            return None
    return found


def not_an_activation(
    consumer: str, source: str, pending: PendingOps, model: Model, remedy: str
) -> UnsupportedModel:
    """Describe values that are neither integers of a quantiser nor 1-bit activations."""
    values, least = steps.evaluate(pending, model), "at least "
    integers = steps.samples(pending)
    if int((pending.high - pending.low).max()) * pending.channels < COUNTED:
        least, integers = "", np.array(pending.grid)[:, None]
    table = values(integers)
    inside = (integers >= pending.low) & (integers <= pending.high)
    counts = [len(np.unique(table[inside[:, c], c])) for c in range(pending.channels)]
    return UnsupportedModel(
        f"{consumer}: its input, the activation after {source}, has {least}{max(counts)} values in "
        f"channel {int(np.argmax(counts))} (from {table[inside].min():g} to "
        f"{table[inside].max():g}), which are neither 1-bit nor multiples of one scale: {remedy}"
    )


def several_scales(consumer: str, source: str, scale: NDArray[np.float32]) -> UnsupportedModel:
    """Describe integers whose scales have no common divisor."""
    return UnsupportedModel(
        f"{consumer}: its input, from {source}, has {len(np.unique(scale))} scales (from "
        f"{scale.min():g} to {scale.max():g}), which are not multiples of one: quantise it with "
        "one scale, or the branches of a concatenation with the same quantiser"
    )


def falling_channels(consumer: str, pending: PendingOps, model: Model) -> NDArray[np.bool_]:
    """Find channels whose values fall when the sum rises, bool ``(C,)``.

    Raises
    ------
    UnsupportedModel
        If a channel is not monotone, because a maximum does not commute with it.
    """
    rises, falls = steps.rises_and_falls(pending, model)
    mixed = falls & rises
    if mixed.any():
        raise UnsupportedModel(
            f"{consumer}: pools channel {int(np.argmax(mixed))} before its activation, which is "
            "not monotone; pool after the activation"
        )
    return falls


def thresholds(
    source: str, pending: PendingOps, bits: Staircase
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Find the thresholds of a 1-bit activation.

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
    changes = bits.runs - 1
    if (changes > 1).any():
        channel = int(np.argmax(changes > 1))
        raise UnsupportedModel(
            f"{source}: the activation of channel {channel} is not monotone in the sum (it changes "
            f"{changes[channel]} times); only monotone operators are supported between this layer "
            "and its quantiser"
        )
    begins_on, change = bits.value[bits.first] == 1, bits.start[bits.first + changes]
    falling = begins_on & (changes == 1)
    last_on = np.full_like(change, -1) if pending.bipolar else change - 1
    never = ~begins_on & (changes == 0)
    # Of a channel that is always on, `change` is its lowest sum.
    rising = np.where(never, pending.high + 1, change)
    return falling, np.where(falling, -last_on, rising)


def rounding_notes(source: str, pending: PendingOps, bits: Staircase, model: Model) -> list[Note]:
    """Describe channels where the rounding of a float sum could change a bit."""
    if not (pending.error > 0).any():
        return []
    shifted = [positive(pending, model, offset) for offset in (-1.0, 1.0)]
    found = [bits.differences(other) for other in shifted]
    channel, first = (np.concatenate([one[i] for one in found]) for i in (0, 1))
    return _notes(source, "rounding", pending, channel, first)


def _notes(
    source: str, kind: Kind, pending: PendingOps, channel: Array, integers: Array
) -> list[Note]:
    """A note about some channels, with the first of their integers; none if there are none."""
    if not channel.size:
        return []
    order = np.lexsort((integers, channel))
    channels, places = np.unique(channel[order], return_index=True)
    first = integers[order][places]
    return [Note(source, kind, tuple(channels.tolist()), pending.channels, tuple(first.tolist()))]


def as_pytorch(
    source: str, pending: PendingOps, bits: Staircase, activation: Activation
) -> tuple[Staircase, list[Note]]:
    """PyTorch's bits in the place of ONNX Runtime's, and notes on those that differ.

    Raises
    ------
    UserError
        If the activation belongs to another network.
    """

    def function(integers: Array) -> Array:
        return (np.asarray(activation.function(pending.entry(integers))) > 0).astype(np.int64)

    try:
        other = gather(steps.slices(pending, function), pending.low, pending.high)
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f"the checkpoint's activation {activation.name} does not fit {source}: {OTHER_MODEL}"
        ) from error
    return other, _notes(source, "pytorch", pending, *bits.differences(other)[:2])
