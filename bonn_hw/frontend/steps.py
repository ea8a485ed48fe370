# SPDX-License-Identifier: BSD-3-Clause
"""The results of pending operators for every possible integer, as a staircase.

Where every operator is monotone in float32 (see `monotone`), the steps are found by bisection: if
the results at both ends of an interval are equal, so are all between. Each step is thereby found
with both of its neighbours, in log2(range) evaluations. Other operators are evaluated on the whole
range, in slices of bounded memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.evaluate import evaluator
from bonn_hw.frontend.model import Model
from bonn_hw.frontend.monotone import monotone
from bonn_hw.frontend.pending_ops import PendingOps
from bonn_hw.frontend.staircase import Array, Staircase, gather, ordered

CHUNK = 1 << 18  # values per evaluation, few enough for the processor's cache
FEW = 1 << 11  # integers: evaluating all is as fast as bisection
LARGEST_STAIRCASE = 1 << 24  # runs
TRIES = 64  # integers of each channel that are tried before all

Table = NDArray[np.float32]
Measure = Callable[[Table], Array]
Scalar = TypeVar("Scalar", bound=np.generic)


def evaluate(pending: PendingOps, model: Model, offset: float = 0.0) -> Callable[[Array], Table]:
    """Make a function from integers ``(R, C)`` to the model's values after the operators.

    Parameters
    ----------
    offset : float
        The sums are shifted by this multiple of their usual rounding error.
    """
    apply = evaluator(pending.ops, pending.channels, model)

    def values(integers: Array) -> Table:
        integers = np.broadcast_to(integers, (len(integers), pending.channels))
        size = max(1, CHUNK // pending.channels)
        if len(integers) <= size:
            return apply(pending.entry(integers, offset))
        starts = range(0, len(integers), size)
        slices = (integers[start : start + size] for start in starts)
        return np.concatenate([apply(pending.entry(part, offset)) for part in slices])

    return values


def slices(
    pending: PendingOps, function: Callable[[Array], NDArray[Scalar]]
) -> Iterator[tuple[Array, NDArray[Scalar]]]:
    """All possible integers ``(r,)`` and the results of a function of ``(r, 1)``, in parts."""
    grid, size = pending.grid, max(1, CHUNK // pending.channels)
    for start in range(0, len(grid), size):
        part = grid[start : start + size]
        integers = np.arange(part.start, part.stop, part.step, dtype=np.int64)
        yield integers, function(integers[:, None])


def samples(pending: PendingOps) -> Array:
    """Some integers of each channel ``(R, C)``: both ends, around zero, and between."""
    if pending.bipolar:
        return np.array([[-1], [1]]) + 0 * pending.low
    span = (pending.high - pending.low).astype(np.float64)
    between = pending.low + (np.linspace(0, 1, TRIES)[:, None] * span).astype(np.int64)
    around = np.arange(-2, 3)[:, None] + 0 * pending.low
    inside: Array = np.clip(np.concatenate([between, around]), pending.low, pending.high)
    return inside


def staircase(
    pending: PendingOps, model: Model, measure: Measure, offset: float = 0.0
) -> Staircase:
    """The measure of the values after the operators, for every integer of every channel.

    Parameters
    ----------
    measure : function
        From values ``(R, C)`` to int64, monotone.

    Raises
    ------
    UnsupportedModel
        If the operators are not monotone and the range is too large to evaluate all of it, or if
        there are too many steps.
    """
    values = evaluate(pending, model, offset)

    def measured(integers: Array) -> Array:
        return measure(values(integers))

    widest = int((pending.high - pending.low).max())
    if widest > FEW and monotone([op.node for op in pending.ops if not op.moves], model):
        found = _bisected(measured, pending)
        if found is not None:
            return found
    return gather(slices(pending, measured), pending.low, pending.high)


def rises_and_falls(pending: PendingOps, model: Model) -> tuple[NDArray[np.bool_], ...]:
    """Channels whose values rise somewhere, and those whose values fall, bool ``(C,)`` each."""
    values = evaluate(pending, model)
    if monotone([op.node for op in pending.ops if not op.moves], model):
        ends = values(np.stack([pending.low, pending.high]))
        return ends[1] > ends[0], ends[1] < ends[0]
    rises, falls = (np.zeros(pending.channels, np.bool_) for _ in range(2))
    before: tuple[Array, Table] | None = None
    for integers, part in slices(pending, values):
        grid, table = integers, part
        if before is not None:
            grid = np.concatenate([before[0], grid])
            table = np.concatenate([before[1], table])
        inside = (grid[:, None] >= pending.low) & (grid[:, None] <= pending.high)
        both, changes = inside[1:] & inside[:-1], np.diff(table, axis=0)
        rises |= ((changes > 0) & both).any(axis=0)
        falls |= ((changes < 0) & both).any(axis=0)
        before = grid[-1:], table[-1:]
    return rises, falls


def _bisected(measured: Callable[[Array], Array], pending: PendingOps) -> Staircase | None:
    """Find all steps by bisection; None if there are so many that evaluating all is faster.

    Also None if a value between two others is not between their values: then an operator is not
    monotone, against expectation.
    """
    low, high = pending.low, pending.high
    channel = np.arange(pending.channels)
    ends = measured(np.stack([low, high]))
    runs = [(channel, low, ends[0])]
    # Intervals with different values at their ends.
    left, right, at_left, at_right = low, high, ends[0], ends[1]
    count, most = len(channel), min(LARGEST_STAIRCASE, int((high - low + 1).sum()) // 8)
    while channel.size:
        differs = at_left != at_right
        ready = differs & (right - left == 1)
        runs.append((channel[ready], right[ready], at_right[ready]))
        count += int(ready.sum())
        open_ = differs & ~ready
        if count + int(open_.sum()) > most:
            if most == LARGEST_STAIRCASE:
                raise _too_many_steps(pending)
            return None
        channel, left, right = channel[open_], left[open_], right[open_]
        at_left, at_right = at_left[open_], at_right[open_]
        if not channel.size:
            break
        middle = left + (right - left) // 2
        at_middle = _at(measured, pending, channel, middle)
        smaller, larger = np.minimum(at_left, at_right), np.maximum(at_left, at_right)
        if ((at_middle < smaller) | (at_middle > larger)).any():
            return None
        channel = np.tile(channel, 2)
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
        at_left = np.concatenate([at_left, at_middle])
        at_right = np.concatenate([at_middle, at_right])
    channel, start, value = (np.concatenate(column) for column in zip(*runs, strict=True))
    return ordered(low, high, channel, start, value)


def _too_many_steps(pending: PendingOps) -> UnsupportedModel:
    name = pending.ops[-1].node.name if pending.ops else "the model"
    return UnsupportedModel(
        f"{name}: its values take more than {LARGEST_STAIRCASE} steps over all sums and channels; "
        "use fewer bits or fewer channels"
    )


def _at(
    measured: Callable[[Array], Array],
    pending: PendingOps,
    channel: Array,
    integers: Array,
) -> Array:
    """The measure at one integer of one channel each, ``(K,)``."""
    order = np.argsort(channel, kind="stable")
    counts = np.bincount(channel, minlength=pending.channels)
    row = np.empty(len(channel), np.int64)
    row[order] = np.arange(len(channel)) - np.repeat(np.cumsum(counts) - counts, counts)
    grid = np.repeat(pending.low[None], counts.max(), axis=0)
    grid[row, channel] = integers
    return measured(grid)[row, channel]
