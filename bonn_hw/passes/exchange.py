# SPDX-License-Identifier: BSD-3-Clause
"""Exchange what units are made of, until a design fits: their foldings and cycles stay.

Prices alone cannot reach every design. Where all weights are worth the same per bit, one price
leaves them in block memory, and the next higher one moves all of them to LUT.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bonn_hw.ir.resources import Resources
from bonn_hw.passes.folding import Choice, Space


def exchanged(
    space: Space, choice: Choice, budget: Resources, weights: NDArray[np.float64]
) -> Choice | None:
    """Replace kernels until no resource of the budget is exceeded, the cheapest exchange first.

    An exchange is as cheap as it takes little of other resources for what it saves of the scarcest,
    each as a share of the budget. None exceeds another resource.

    Parameters
    ----------
    weights : float ``(4,)``
        What a unit of each resource costs, in the cost of the result.

    Returns
    -------
    Choice or None
        None if no exchange is left and the design still does not fit.
    """
    holds = np.maximum(np.array(budget.astuple()), 1e-9)
    start = np.array(choice.resources.astuple())
    uses = {name: space.alternatives(name, folding) for name, folding in choice.foldings.items()}
    kernels, used = dict(choice.kernels), start
    now = {
        name: next(use for kernel, use in options if kernel is kernels[name])
        for name, options in uses.items()
    }
    while (used > holds).any():
        scarce = int((used / holds).argmax())
        best, least = None, np.inf
        for name, options in uses.items():
            for kernel, use in options:
                change = (use - now[name]) / holds
                after = used + use - now[name]
                if change[scarce] >= 0 or ((after > holds) & (after > used)).any():
                    continue
                price = np.maximum(change, 0).sum() / -change[scarce]
                if price < least:
                    best, least = (name, kernel, use), price
        if best is None:
            return None
        name, kernel, use = best
        used = used + use - now[name]
        kernels[name], now[name] = kernel, use
    return replace(
        choice,
        kernels=kernels,
        resources=Resources(*used.tolist()),
        cost=choice.cost + float((used - start) @ weights),
    )
