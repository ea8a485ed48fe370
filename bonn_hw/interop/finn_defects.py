# SPDX-License-Identifier: BSD-3-Clause
"""FINN's known defects with 1-bit networks, put into our matrix units.

What a defect does to a layer is computed, and has to be FINN's values bit for bit; being of the
right kind is not enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from bonn_hw.interop.finn_result import FinnNode
from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.tensor import Integers
from bonn_hw.kernels.mvu import Mvu

PADDING = "pads bits with -1 where the model pads with 0"
ALWAYS_ON = "refuses the threshold of a neuron that is always on, in code generation"
CLIPPED = "clips thresholds to an accumulator that does not hold all popcounts"


def signs(kernel: Kernel, node: FinnNode) -> Integers:
    """-1 for the sums that FINN has with the other sign, moved into the scale behind them."""
    one = np.ones(kernel.outputs[0].shape[2], np.int64)
    if not isinstance(kernel, Mvu) or node.weights is None or node.limits is not None:
        return one
    if node.weights.shape != kernel.weights.shape:
        return one
    return np.where((node.weights == -kernel.weights).all(axis=1), -one, one)


def visible(kernel: Kernel, node: FinnNode) -> set[str]:
    """Defects that show in FINN's thresholds, whether or not a frame meets them."""
    if not isinstance(kernel, Mvu) or node.limits is None or node.meant is None:
        return set()
    wide = kernel.weights.shape[1]
    if not node.facts.get("binaryXnorMode", 0):
        return set()
    kept, meant = (np.clip(np.ceil(x), 0, wide + 1) for x in (node.limits, node.meant))
    return {CLIPPED} if (kept != meant).any() else set()


def explain(kernel: Kernel, taken: Integers, theirs: Integers, node: FinnNode) -> set[str]:
    """The defects that make FINN's values of ours; none if they do not."""
    if not isinstance(kernel, Mvu):
        return set()
    clipped = _clipped(kernel, node)
    candidates = [({PADDING}, other) for other in _unpadded(kernel)]
    if clipped is not None:
        candidates.append(({CLIPPED}, clipped))
        candidates += [({PADDING, CLIPPED}, other) for other in _unpadded(clipped)]
    for defects, other in candidates:
        (made,) = other.reference(taken)
        if (made.reshape(theirs.shape) == theirs).all():
            return defects
    return set()


def _unpadded(kernel: Mvu) -> Iterator[Mvu]:
    """The unit with one class's levels everywhere: padding that is -1 is made up for nowhere."""
    if kernel.classes == 1:
        return
    height, width = kernel.pixels
    for levels in kernel.thresholds_or_offsets:
        chosen = "thresholds" if kernel.offsets is None else "offsets"
        given: dict[str, Any] = {chosen: levels[None]}
        yield replace(kernel, rows=(0,) * height, columns=(0,) * width, **given)


def _clipped(kernel: Mvu, node: FinnNode) -> Mvu | None:
    """The unit with FINN's thresholds where FINN has clipped them; None if it has not."""
    if kernel.thresholds is None or node.limits is None or node.meant is None:
        return None
    changed = np.ceil(node.meant) != node.limits
    if not changed.any():
        return None
    clipped = node.limits.astype(np.int64)
    if node.facts.get("binaryXnorMode", 0):
        clipped = 2 * clipped - kernel.weights.shape[1]
    return replace(kernel, thresholds=np.where(changed, clipped, kernel.thresholds))


def always_on(kernel: Kernel) -> bool:
    """Whether a neuron gives +1 whatever it takes."""
    if not isinstance(kernel, Mvu) or kernel.thresholds is None:
        return False
    return bool((kernel.thresholds <= -kernel.weights.shape[1]).any())
