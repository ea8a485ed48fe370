# SPDX-License-Identifier: BSD-3-Clause
"""Patterns of input gaps and output stalls that are meant to stop a design: ten families."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest import mock

import numpy as np

from bonn_hw.timing.stalls import PERIOD, Stalls

Random = np.random.Generator
Pattern = Callable[[Random], np.ndarray]


def always(random: Random) -> np.ndarray:
    """Ready in every cycle."""
    return np.ones(PERIOD, np.uint8)


def long_pauses(random: Random) -> np.ndarray:
    """Some beats, then a long pause."""
    pause, beats = (
        int(random.choice([300, 500, 2000, 3000])),
        int(random.choice([1, 2, 5, 40, 200])),
    )
    return (np.arange(PERIOD) % (pause + beats) >= pause).astype(np.uint8)


def bursts(random: Random) -> np.ndarray:
    """Pauses and bursts of up to 60 cycles."""
    lengths = random.integers(1, 60, PERIOD // 20)
    ready = np.repeat(np.arange(lengths.size) % 2, lengths)
    return np.resize(ready, PERIOD).astype(np.uint8)


def rare(random: Random) -> np.ndarray:
    """One cycle of some."""
    return (np.arange(PERIOD) % int(random.integers(3, 23)) == 0).astype(np.uint8)


def glitches(random: Random) -> np.ndarray:
    """All cycles but one of some."""
    first, every = int(random.integers(0, 7)), int(random.choice([2, 3, 5, 7]))
    return (np.arange(PERIOD) % every != first % every).astype(np.uint8)


def late(random: Random) -> np.ndarray:
    """Nothing at first."""
    return (np.arange(PERIOD) >= int(random.integers(1, 4000))).astype(np.uint8)


def one_glitch(random: Random) -> np.ndarray:
    """All cycles but one."""
    return (np.arange(PERIOD) != int(random.integers(0, 400))).astype(np.uint8)


def coin(random: Random) -> np.ndarray:
    """Any cycle, with any probability."""
    ready = random.random(PERIOD) < random.uniform(0.05, 1)
    ready[0] = True
    return ready.astype(np.uint8)


FAMILIES: tuple[tuple[Pattern, Pattern], ...] = (  # of the source and of the sink
    (always, long_pauses),
    (long_pauses, always),
    (glitches, glitches),
    (bursts, bursts),
    (always, rare),
    (rare, always),
    (rare, rare),
    (late, late),
    (one_glitch, one_glitch),
    (coin, coin),
)


def pattern(seed: int) -> Stalls:
    """The pattern of a seed, whose last digit is its family."""
    source, sink = FAMILIES[seed % len(FAMILIES)]
    random = np.random.default_rng(seed)
    return Stalls(source(random), sink(random))


@contextmanager
def adversarial() -> Iterator[None]:
    """Seeds of stalls mean these patterns, in the cycle model and in the simulation."""
    plain = Stalls.random

    def chosen(seed: int | None) -> Stalls:
        return plain(None) if seed is None else pattern(seed)

    with mock.patch.object(Stalls, "random", chosen):
        yield
