# SPDX-License-Identifier: BSD-3-Clause
"""Integer arithmetic for foldings and memories."""

from __future__ import annotations

from math import isqrt


def divisors(number: int) -> list[int]:
    """Divisors in ascending order."""
    low = [d for d in range(1, isqrt(number) + 1) if number % d == 0]
    return low + [number // d for d in reversed(low) if d * d != number]


def power_of_two(number: int) -> int:
    """The smallest power of two that is at least ``number``: 5 -> 8, 8 -> 8."""
    return 1 << max(0, number - 1).bit_length()
