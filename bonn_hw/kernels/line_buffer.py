# SPDX-License-Identifier: BSD-3-Clause
"""The line buffer of a sliding window: when words are needed and freed, and how many it holds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Layout = tuple[tuple[int, int, int], tuple[int, int], tuple[int, int]]  # frame, kernel, stride


@dataclass(frozen=True, eq=False)
class Walk:
    """When the steps of a frame need and free words of the line buffer (``sliding_window.sv``).

    Attributes
    ----------
    beats : int
        Input beats of a frame.
    completes : int ``(words of a frame,)``
        Index of the input beat that completes each word, within the frame.
    need, freed : int ``(steps,)``
        Words of the frame that must be complete before each step; words that are free after it.
    """

    beats: int
    completes: NDArray[np.int64]
    need: NDArray[np.int64]
    freed: NDArray[np.int64]

    @property
    def lack(self) -> int:
        """Most words by which a step needs more than the step before: those that can be missing."""
        whole = self.completes.size
        rises = np.diff(self.need, append=whole + self.need[0])
        return max(int(self.need[0]), int(rises.max()))

    def completion(self, word: NDArray[np.int64]) -> NDArray[np.int64]:
        """Indices of the beats that complete words; both are counted over all frames."""
        if self.completes.size == self.beats:  # each beat is a word
            return word
        frame, place = np.divmod(word, self.completes.size)
        return frame * self.beats + self.completes[place]


@lru_cache(maxsize=256)
def walk(
    shape: tuple[int, int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    lanes: int,
    taps: int,
) -> Walk:
    """The steps of a frame, with so many lanes of input and taps of an output beat."""
    (height, width, channels), (high, wide), (down, right) = shape, kernel, stride
    rows, columns = (height - high) // down + 1, (width - wide) // right + 1
    folds = channels // lanes
    beats = height * width * folds
    if taps == 1:  # a word is a beat
        row, pitch, tap_row = width * folds, right * folds, wide * folds
        completes = np.arange(beats)
    else:  # a word is the part of a window in one row of pixels
        row, pitch, tap_row = columns, 1, 1
        completes = np.add.outer(np.arange(height) * width, np.arange(columns) * right + wide - 1)
    corner = np.add.outer(np.arange(rows) * down * row, np.arange(columns) * pitch).reshape(-1)
    # The first row of taps waits until all rows but the last are complete; the last row waits for
    # its own words.
    need = np.repeat(corner[:, None] + max(high - 2, 0) * row + tap_row, high, axis=1)
    need[:, -1] = corner + (high - 1) * row + tap_row
    # A row frees its words that no later window of the row covers; the last row frees all words
    # before the next window.
    freed = np.repeat(corner[:, None], high * tap_row, axis=1)
    freed[:, tap_row - 1 :] += min(pitch, tap_row)
    freed[:, -1] = np.append(corner[1:], height * row)
    return Walk(
        beats, completes.reshape(-1), np.repeat(need.reshape(-1), tap_row), freed.reshape(-1)
    )


@lru_cache(maxsize=4096)
def full_rate_words(
    shape: tuple[int, int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    lanes: int,
    taps: int,
) -> int:
    """Words that the line buffer must hold so that the side with more beats never stalls.

    That side moves one beat every cycle. If it is the output, input beats arrive as late as their
    deadlines allow (an earlier arrival needs no more room: an early beat can wait outside). If it
    is the input, output beats leave as early as possible. Two consecutive frames are considered,
    because the first rows of the next frame arrive while the last windows are still read.
    """
    steps = walk(shape, kernel, stride, lanes, taps)
    beats_in, beats_out, words = steps.beats, steps.need.size, steps.completes.size
    period = max(beats_in, beats_out)
    # Beats, words and steps are numbered through two frames.
    need = steps.completion(np.concatenate([steps.need, steps.need + words]) - 1) + 1
    freed = np.concatenate([steps.freed, steps.freed + words])
    beat = np.arange(2 * beats_in)
    if beats_out >= beats_in:
        step_cycle = np.arange(2 * beats_out)
        # First step that needs each beat; a beat that no step needs is due with the next one.
        first_use = np.searchsorted(np.maximum.accumulate(need), beat + 1)
        due = (
            np.append(step_cycle, 2 * period)[first_use] - 1
        )  # used in the cycle after it was accepted
        arrival = np.minimum.accumulate((due - beat)[::-1])[::-1] + beat
    else:
        arrival = beat
        ready = np.maximum.accumulate(need)
        order = np.arange(2 * beats_out)
        step_cycle = np.maximum.accumulate(ready - order) + order
    # The steps before the cycle in which a word is complete must have made room for it.
    word = np.arange(2 * words)
    steps_done = np.searchsorted(step_cycle, arrival[steps.completion(word)] - 1, side="right")
    return max(2, int((word + 1 - np.concatenate([[0], freed])[steps_done]).max()))
