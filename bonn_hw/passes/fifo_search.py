# SPDX-License-Identifier: BSD-3-Clause
"""Shrink FIFOs by running the cycle model, as long as the design keeps its interval.

It must also keep its certificate: no stalls may deadlock it (`model.certify`). A deeper FIFO never
delays a beat. So the search for one FIFO can stop at the first depth that is too small, and depths
that work for several FIFOs at once also work for each of them alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonn_hw.passes.fifo_queues import Depths, Queues
from bonn_hw.passes.ready_chains import CUT
from bonn_hw.progress import Progress
from bonn_hw.timing import model
from bonn_hw.timing.model import Network

EFFORT = 45  # frames that the search may run in total, for a larger design
WORTH = 0.8  # halving is tried only if the queue then costs less than this part of its cost now


def shrink_each(
    queues: Queues, depths: Depths, idle: Sequence[str], target: int, progress: Progress
) -> Depths:
    """Remove or halve each queue as far as the interval stays within ``target`` cycles."""

    def fits(network: Network) -> bool:
        if model.run_network(network).interval > target:
            return False
        model.certify(network)
        return True

    found = dict(depths)

    def shrink(names: Sequence[str], depth: int) -> bool:
        changed = {**found, **dict.fromkeys(names, depth)}
        if not (names and _runs(fits, queues.network(changed))):
            return False
        found.update(changed)
        return True

    def shrink_all() -> bool:
        """Try each queue once; whether one was removed."""
        there = [name for name in found if found[name]]
        for name in _dearest_first(queues, there, found):
            progress(f"FIFO before {queues.streams[name].sink}")
            least = CUT if name in queues.cuts else 0
            if queues.feeds_join(name) or found[name] <= least or not shrink([name], least):
                while (less := _half(found[name])) and shrink([name], less):
                    pass
        return not all(found[name] for name in there)

    progress("FIFOs that are not needed")
    shrink(idle, 0)
    # A queue that is gone delays its branch no longer: another may hold less now.
    while shrink_all():
        pass
    return found


def shrink_within_effort(
    queues: Queues,
    depths: Depths,
    idle: Sequence[str],
    filled: Collection[str],
    due: NDArray[np.int64],
    progress: Progress,
) -> Depths:
    """Remove or halve groups of equal queues, the most expensive first, within `EFFORT` frames.

    Queues are equal if they have the same depth and width. Only ``filled`` queues are tried, and no
    queue before a join: it holds what waits for the other branch, which can hardly be less.

    Parameters
    ----------
    due : int64 ``(frames,)``
        Cycle of each frame's last output beat with unlimited queues. A design counts as keeping its
        interval if its last frame is no later, compared with ``due``, than the frame before.
    """

    def fits(network: Network) -> bool:
        late = model.run_network(network, due.size, pace=queues.bound).last_out - due
        if late[-1] > late[-2]:
            return False
        model.certify(network, due.size - 1)
        return True

    found = dict(depths)
    tries = 0

    def shrink(names: Sequence[str], depth: int) -> bool:
        nonlocal tries
        if not names or tries * due.size >= EFFORT:
            return False
        tries += 1
        progress(f"FIFO before {queues.streams[names[0]].sink}")
        changed = {**found, **dict.fromkeys(names, depth)}
        if not _runs(fits, queues.network(changed)):
            return False
        found.update(changed)
        return True

    def shrink_most(names: Sequence[str], depth: int) -> list[str]:
        """Shrink all queues, or all but the first (no equal one precedes it); return which."""
        return next((list(some) for some in (names, names[1:]) if shrink(some, depth)), [])

    shrink(idle, 0)
    groups: dict[tuple[int, int, int], list[str]] = {}
    for name in _dearest_first(queues, filled, found):
        least = CUT if name in queues.cuts else 0
        if found[name] > least and not queues.feeds_join(name):
            key = found[name], queues.streams[name].width, least
            groups.setdefault(key, []).append(name)

    def total_cost(names: list[str]) -> float:
        return len(names) * queues.cost(names[0], found[names[0]])

    for names in sorted(groups.values(), key=total_cost, reverse=True):
        removed = shrink_most(names, CUT if names[0] in queues.cuts else 0)
        left = [name for name in names if name not in removed]
        while left and (less := _half(found[left[0]])):
            if queues.cost(left[0], less) > WORTH * queues.cost(left[0], found[left[0]]):
                break
            left = shrink_most(left, less)
    return found


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Call functions at the same time, one thread each: the cycle model is C++ and needs no GIL."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def _runs(fits: Callable[[Network], bool], network: Network) -> bool:
    try:
        return fits(network)
    except model.Deadlock:
        return False


def _dearest_first(queues: Queues, names: Collection[str], depths: Depths) -> list[str]:
    return sorted(names, key=lambda name: -depths[name] * queues.streams[name].width)


def _half(depth: int) -> int:
    """The next smaller power of two; 0 below 2."""
    return 1 << (depth - 1).bit_length() - 1 if depth > 2 else 0
