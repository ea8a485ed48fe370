# SPDX-License-Identifier: BSD-3-Clause
"""FINN's known defects with 1-bit networks, reproduced in our matrix units.

A defect explains a difference only if our unit with that defect outputs FINN's values bit for bit.
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
    """-1 for each channel whose sums FINN has negated (its scale compensates that), else +1."""
    one = np.ones(kernel.outputs[0].shape[2], np.int64)
    if not isinstance(kernel, Mvu) or node.weights is None or node.thresholds is not None:
        return one
    if node.weights.shape != kernel.weights.shape:
        return one
    return np.where((node.weights == -kernel.weights).all(axis=1), -one, one)


def visible(kernel: Kernel, node: FinnNode) -> set[str]:
    """Defects visible in FINN's thresholds, even if no compared frame triggers them."""
    if not isinstance(kernel, Mvu) or node.thresholds is None or node.unclipped is None:
        return set()
    wide = kernel.weights.shape[1]
    if not node.attributes.get("binaryXnorMode", 0):
        return set()
    used, intended = (np.clip(np.ceil(x), 0, wide + 1) for x in (node.thresholds, node.unclipped))
    return {CLIPPED} if (used != intended).any() else set()


def explain(kernel: Kernel, inputs: Integers, theirs: Integers, node: FinnNode) -> set[str]:
    """The defects with which our unit outputs FINN's values; the empty set if none do."""
    if not isinstance(kernel, Mvu):
        return set()
    clipped = _clipped(kernel, node)
    candidates = [({PADDING}, other) for other in _unpadded(kernel)]
    if clipped is not None:
        candidates.append(({CLIPPED}, clipped))
        candidates += [({PADDING, CLIPPED}, other) for other in _unpadded(clipped)]
    for defects, variant in candidates:
        (outputs,) = variant.reference(inputs)
        if (outputs.reshape(theirs.shape) == theirs).all():
            return defects
    return set()


def _unpadded(kernel: Mvu) -> Iterator[Mvu]:
    """Variants of the unit that use the thresholds of one border class for all pixels.

    They do not correct for padding that is streamed as -1, which is FINN's defect.
    """
    if kernel.classes == 1:
        return
    height, width = kernel.pixels
    for levels in kernel.thresholds_or_offsets:
        chosen = "thresholds" if kernel.offsets is None else "offsets"
        changed: dict[str, Any] = {chosen: levels[None]}
        yield replace(kernel, rows=(0,) * height, columns=(0,) * width, **changed)


def _clipped(kernel: Mvu, node: FinnNode) -> Mvu | None:
    """The unit with FINN's clipped thresholds; None if FINN has clipped none."""
    if kernel.thresholds is None or node.thresholds is None or node.unclipped is None:
        return None
    changed = np.ceil(node.unclipped) != node.thresholds
    if not changed.any():
        return None
    clipped = node.thresholds.astype(np.int64)
    if node.attributes.get("binaryXnorMode", 0):
        clipped = 2 * clipped - kernel.weights.shape[1]
    return replace(kernel, thresholds=np.where(changed, clipped, kernel.thresholds))


def always_on(kernel: Kernel) -> bool:
    """Whether the output of some neuron is +1 for all inputs."""
    if not isinstance(kernel, Mvu) or kernel.thresholds is None:
        return False
    return bool((kernel.thresholds <= -kernel.weights.shape[1]).any())
