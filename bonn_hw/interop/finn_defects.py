# SPDX-License-Identifier: BSD-3-Clause
"""FINN's known defects with networks of few bits, reproduced in our nodes.

A defect explains a difference only if our nodes with that defect output FINN's values bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonn_hw.frontend.host import Host
from bonn_hw.interop.finn_result import FinnNode
from bonn_hw.interop.finn_ties import TiesUp, host_with_ties_up
from bonn_hw.interop.value_pairs import ANSWERS, Pair, Values
from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.tensor import Integers
from bonn_hw.kernels.mvu import Mvu
from bonn_hw.kernels.requantize import Requantize

PADDING = "pads bits with -1 where the model pads with 0"
ALWAYS_ON = "refuses the threshold of a neuron that is always on, in code generation"
CLIPPED = "clips thresholds to an accumulator that does not hold all popcounts"
TIES = "rounds ties up where the model's Quant rounds half to even"

Variant = tuple[frozenset[str], Kernel]


def visible(pair: Pair) -> set[str]:
    """Defects visible in FINN's thresholds, even if no compared frame triggers them."""
    node = pair.theirs
    if node.thresholds is None or node.unclipped is None or not _popcounts(node):
        return set()
    wide = int(node.attributes["MW"])
    used, intended = (np.clip(np.ceil(x), 0, wide + 1) for x in (node.thresholds, node.unclipped))
    return {CLIPPED} if (used != intended).any() else set()


def explain(
    values: Values, pair: Pair, theirs: Integers, pairs: Mapping[str, Pair], ties: TiesUp
) -> set[str]:
    """The defects with which our nodes output FINN's values; the empty set if none do.

    Parameters
    ----------
    pairs : mapping
        All pairs, by our name.
    ties : TiesUp
        The model with ties rounded up.
    """
    none: frozenset[str] = frozenset()
    choices = [[(none, node.kernel), *_variants(node.kernel, pair)] for node in pair.nodes]
    tails: list[tuple[frozenset[str], Host]] = [(none, values.host)]
    if pair.stream == ANSWERS and (other := host_with_ties_up(values.host)) is not None:
        tails.append((frozenset({TIES}), other))
    for kernels in product(*choices):
        chosen = {node.name: kernel for node, (_, kernel) in zip(pair.nodes, kernels, strict=True)}
        for tail, host in tails:
            defects = tail.union(*(names for names, _ in kernels))
            if not defects:
                continue
            outputs = values.recompute(pair, chosen, host)
            if (outputs.reshape(theirs.shape) == theirs).all():
                return set(defects)
    if pair.stream != ANSWERS and ties.equal(
        _known(values, pair, pairs, ties), pair.stream, theirs
    ):
        return {TIES}
    return {CLIPPED} if _clipped_steps(values, pair, theirs) else set()


def _known(
    values: Values, pair: Pair, pairs: Mapping[str, Pair], ties: TiesUp
) -> dict[str, Integers]:
    """FINN's values of the nearest tensors before a pair that the reference has too, by our name.

    It has no windows of pixels, for example.
    """
    found: dict[str, Integers] = {}
    waiting = dict(pair.inputs)
    while waiting:
        stream, tensor = waiting.popitem()
        if ties.knows(stream) or stream not in pairs:
            found[stream] = values.theirs(tensor, stream)
        else:
            waiting |= pairs[stream].inputs
    return found


def always_on(kernel: Kernel) -> bool:
    """Whether the output of some neuron is +1 for all inputs."""
    if not isinstance(kernel, Mvu) or kernel.thresholds is None:
        return False
    return bool((kernel.thresholds <= -kernel.weights.shape[1]).any())


def _popcounts(node: FinnNode) -> bool:
    return bool(node.attributes.get("binaryXnorMode", 0))


def _variants(kernel: Kernel, pair: Pair) -> Iterator[Variant]:
    """A kernel with each of the defects that it can have, and with several."""
    if isinstance(kernel, Requantize) and kernel.ties_even:
        yield frozenset({TIES}), replace(kernel, ties_even=False)
    if isinstance(kernel, Mvu):
        clipped = _clipped(kernel, pair.theirs)
        yield from ((frozenset({PADDING}), other) for other in _unpadded(kernel))
        if clipped is not None:
            yield frozenset({CLIPPED}), clipped
            both = frozenset({PADDING, CLIPPED})
            yield from ((both, other) for other in _unpadded(clipped))


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
    if node.thresholds.shape[-1] != 1 or node.weights is None:
        return None
    if node.weights.shape != kernel.weights.shape:
        return None
    used, intended = node.thresholds.reshape(-1), node.unclipped.reshape(-1)
    changed = np.ceil(intended) != used
    if not changed.any():
        return None
    clipped = used.astype(np.int64)
    if _popcounts(node):
        clipped = 2 * clipped - kernel.weights.shape[1]
    return replace(kernel, thresholds=np.where(changed, clipped, kernel.thresholds))


def _clipped_steps(values: Values, pair: Pair, theirs: Integers) -> bool:
    """Whether FINN's thresholds give our values before it clipped them, and FINN's values after.

    Of a matrix unit with several thresholds, on popcounts.
    """
    node = pair.theirs
    if node.thresholds is None or node.unclipped is None or not _popcounts(node):
        return False
    units = [one for one in pair.nodes if isinstance(one.kernel, Mvu)]
    if len(units) != 1 or not isinstance(units[0].kernel, Mvu) or pair.nodes[0] is not units[0]:
        return False
    kernel = units[0].kernel
    if kernel.classes > 1 or node.weights is None:
        return False
    high, wide = kernel.weights.shape
    if node.weights.shape != (high, wide):
        return False
    zeros = np.zeros((1, high), np.int64)
    summing = replace(kernel, weights=node.weights.astype(np.int8), thresholds=None, offsets=zeros)
    (ours,) = pair.inputs
    frames = values.theirs(pair.inputs[ours], ours).reshape(-1, *kernel.inputs[0].shape)
    popcounts = (summing.reference(frames)[0].astype(np.int64) + wide) // 2
    start = int(node.attributes.get("ActVal", 0))
    after, before = (
        _counted(popcounts, limits, start).reshape(theirs.shape)
        for limits in (node.thresholds, node.unclipped)
    )
    mine = values.recompute(pair).reshape(theirs.shape)
    return bool((after == theirs).all() and (before == mine).all())


def _counted(sums: NDArray[Any], limits: NDArray[Any], start: int) -> NDArray[np.int64]:
    """How many thresholds ``(channels, steps)`` each sum reaches, from a start."""
    reached: NDArray[np.int64] = (sums[..., None] >= limits).sum(axis=-1, dtype=np.int64)
    return start + reached
