# SPDX-License-Identifier: BSD-3-Clause
"""What LUT, block memories and DSP slices cost: the resource that is preferred is dear."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.target import PREFERENCES, Target
from bonn_hw.passes import objectives
from bonn_hw.passes.folding import Choice, Space

# Of the price of the resource that is preferred. With an eighth, a block memory of a Zynq 7020 is
# worth 48 LUT of weights, and a DSP slice 30 LUT of accumulators: four of 8 bits.
IDLE = 1 / 8
PLACES = dict(zip(PREFERENCES, (0, 2, 3), strict=True))  # in `Resources`


def prices(target: Target) -> NDArray[np.float64]:
    """Price of each resource, in LUT, in the order of `Resources`.

    All that the board has of the preferred resource costs eight times as much as all of another.
    Flip-flops cost nothing: there are two for each LUT.
    """
    holds = np.maximum(np.array(target.board.holds.astuple()), 1e-9)
    shares = np.full(holds.size, IDLE)
    shares[PLACES[target.prefer]] = 1.0
    shares[1] = 0.0
    weights: NDArray[np.float64] = shares / shares[0] * holds[0] / holds
    return weights


def alternatives(target: Target) -> Callable[[Kernel], Iterator[Kernel]]:
    """The kernels that may replace one in a target."""
    dsp48 = target.dsp and target.board.dsp48
    return lambda kernel: kernel.alternatives(dsp48)


def cheapest(space: Space, cycles: int, target: Target) -> Choice:
    """The cheapest design within a bound of cycles; if it does not fit the board, one that fits.

    Idle resources are cheap, so a design may take more of one than there is. Then its price rises
    until the design fits (`objectives.within`). If none is found, the cheapest is returned.
    """
    choice = space.cheapest(cycles, prices(target))
    if objectives.fits(choice.resources, target.board.holds):
        return choice
    fitting = objectives.within(space, cycles, target.board.holds)
    return fitting if isinstance(fitting, Choice) else choice


def price(used: Resources, target: Target) -> float:
    """Cost of resources, in LUT."""
    return float(np.array(used.astuple()) @ prices(target))
