# SPDX-License-Identifier: BSD-3-Clause
"""Random input gaps and output stalls, the same in the cycle model and in the RTL simulation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PERIOD = 65_537  # cycles; a prime, so that the pattern never lines up with frames


@dataclass(frozen=True, eq=False)
class Stalls:
    """What source and sink do in each cycle after reset; the pattern repeats.

    Attributes
    ----------
    offers : uint8 ``(period,)``
        Whether the source may start to offer a beat in that cycle; it is offered until accepted.
    takes : uint8 ``(period,)``
        Whether the sink accepts a beat in that cycle.
    """

    offers: NDArray[np.uint8]
    takes: NDArray[np.uint8]

    @classmethod
    def random(cls, seed: int | None) -> Stalls:
        """Gaps on the input in 1 of 4 cycles and stalls of the output in 1 of 2; None: neither."""
        if seed is None:
            return cls(np.ones(1, np.uint8), np.ones(1, np.uint8))
        draw = np.random.default_rng(seed % 2**32).random((2, PERIOD))
        return cls((draw[0] >= 1 / 4).astype(np.uint8), (draw[1] >= 1 / 2).astype(np.uint8))
