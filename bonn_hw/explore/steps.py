# SPDX-License-Identifier: BSD-3-Clause
"""Channel widths that waste no lane: the steps at which folded hardware becomes cheaper.

PE divides the channels of a layer, SIMD those before it. At a frame rate, a width of many divisors
may cost less than a narrower one of few: 32 channels fold into 16 lanes, 31 into 31 or one. Whoever
chooses 31 pays for 32 and more, and trains a weaker network.
"""

from __future__ import annotations

from math import inf

from bonn_hw.frontend.chain_graph import Matrix, bound
from bonn_hw.frontend.padding import Geometry
from bonn_hw.ir.tensor import BIPOLAR


def widths(low: int, high: int, size: int, cycles: int, lut_per_bram36: float) -> tuple[int, ...]:
    """The widths from `low` to `high` that cost less than every wider one up to `high`.

    Costs are those of the cheapest 1-bit 3x3 convolution from a width to itself, over images of
    `size` pixels in height and width, in at most `cycles` cycles a frame.

    Returns
    -------
    tuple of int
        Ascending; empty if none is fast enough.
    """
    geometry = Geometry((size, size), (3, 3), (1, 1), (1, 1, 1, 1))
    kept: list[int] = []
    least = inf
    for width in range(high, low - 1, -1):
        unit = bound(Matrix("", (size, size, width), BIPOLAR, width, geometry))
        fast = [one for one in unit.foldings() if unit.cycles(one) <= cycles]
        used = [unit.resources(one) for one in fast]
        cost = min((one.lut + lut_per_bram36 * one.bram36 for one in used), default=inf)
        if cost < least:
            kept.append(width)
            least = cost
    return tuple(reversed(kept))
