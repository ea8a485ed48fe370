# SPDX-License-Identifier: BSD-3-Clause
"""The values that an input without a quantiser may have: integers of a type, times a scale.

A user states them (``--input uint8/256``), or the file does, in an annotation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bonn_hw.errors import UserError

FORM = re.compile(r"(u?)int(\d{1,2})(?:([/*])(\d+\.?\d*(?:e-?\d+)?|\.\d+))?", re.IGNORECASE)
ROUNDING = 2.0**-22  # two units in the last place, relative to a value
CHUNK = 64  # frames: what is computed of them stays in the cache of a core


@dataclass(frozen=True)
class StatedGrid:
    """Integers from ``low`` to ``high``, or -1 and +1, times ``scale``.

    Attributes
    ----------
    text : str
        As the user or the file states it.
    by_user : bool
        Whether the user states it, and not an annotation in the file.
    """

    text: str
    low: int
    high: int
    scale: float = 1.0
    bipolar: bool = False
    by_user: bool = False

    @classmethod
    def parse(cls, text: str) -> StatedGrid:
        """Read ``uint8/256``, ``int4*0.125`` or ``int8``; raises UserError."""
        match = FORM.fullmatch(text.strip())
        bits = int(match[2]) if match else 0
        number = float(match[4]) if match and match[4] else 1.0
        scale = 0.0
        if match and number:
            # As float32 divides: 1 / 255 is rounded once.
            scale = float(np.float32(1) / np.float32(number) if match[3] == "/" else number)
        signed = match is not None and not match[1]
        if not 1 + signed <= bits <= 24 or not 0 < np.float32(scale) < np.inf:
            raise UserError(
                f"--input {text} is no grid: give an integer type of up to 24 bits and a scale, "
                "such as uint8/256, uint8/255, int8 or int4*0.125"
            )
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        return cls(text.strip(), low, high, scale, by_user=True)

    @property
    def bits(self) -> int:
        """Bits of an integer."""
        return (self.high - self.low).bit_length()

    def check(self, frames: NDArray[np.float32]) -> None:
        """Raise UserError if a frame ``(N, ...)`` has another value."""
        parts = (frames[at : at + CHUNK] for at in range(0, len(frames), CHUNK))
        if all(map(self._plain, parts)):
            return
        integers = np.rint(frames / np.float32(self.scale)).astype(np.float64)
        exact = np.abs(frames - integers * self.scale) <= ROUNDING * np.abs(frames)
        inside = (integers >= self.low) & (integers <= self.high)
        if self.bipolar:
            inside &= integers != 0
        wrong = np.flatnonzero(~(exact & inside).reshape(-1))
        if not wrong.size:
            return
        frame, value = wrong[0] // frames[0].size, frames.reshape(-1)[wrong[0]]
        if self.scale == 1 and not exact.all():
            raise UserError(
                "inputs: the model states an integer type for its input and has no quantiser: give "
                f"whole numbers (frame {frame} has {value:g})"
            )
        raise UserError(
            f"inputs: frame {frame} has the value {value:g}, and the input is stated as "
            f"{self.text}: give {self._described()}"
        )

    def _plain(self, frames: NDArray[np.float32]) -> bool:
        """Whether all values are the products, rounded once: most frames, and quickly known."""
        integers = np.rint(frames / np.float32(self.scale))
        inside = self.low <= integers.min(initial=0) and integers.max(initial=0) <= self.high
        return not self.bipolar and bool(
            inside and np.array_equal(integers * np.float32(self.scale), frames)
        )

    def _described(self) -> str:
        if self.bipolar:
            return f"-{self.scale:g} and {self.scale:g} only"
        unit = "whole numbers" if self.scale == 1 else f"multiples of {self.scale:g}"
        return f"{unit} from {self.low * self.scale:g} to {self.high * self.scale:g}"

    def random(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Random values of the grid."""
        if self.bipolar:
            integers = rng.choice([-1, 1], shape)
        else:
            integers = rng.integers(self.low, self.high + 1, shape)
        return (integers * self.scale).astype(np.float32)
