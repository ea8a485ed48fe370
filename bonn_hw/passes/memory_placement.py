# SPDX-License-Identifier: BSD-3-Clause
"""Put queues and tables where they cost least on the board: in LUT, or in block memory left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from bonn_hw.ir.design import FoldedDesign
from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.target import Target
from bonn_hw.passes.prices import prices

BRAM36 = 2  # place in `Resources`


def place_memories(design: FoldedDesign, target: Target) -> FoldedDesign:
    """Choose the small memories of each kernel by the board's prices; cycles stay.

    All begin in LUT (`Kernel.placements`). Those that gain most for a block memory move first,
    until no block memory is left.
    """
    weights = prices(target)
    left = target.board.holds.bram36
    chosen: dict[str, Kernel] = {}
    moves = []
    for stage in design.stages:
        in_lut, *others = stage.node.kernel.placements()
        chosen[stage.name] = in_lut
        use = np.array(in_lut.resources(stage.folding).astuple())
        left -= float(use[BRAM36])
        best = None
        for other in others:
            change = np.array(other.resources(stage.folding).astuple()) - use
            gain, blocks = -float(change @ weights), float(change[BRAM36])
            if blocks > 0 and gain > (best[0] if best else 0):
                best = gain, blocks, stage.name, other
        if best:
            moves.append(best)
    for _, blocks, name, other in sorted(moves, key=lambda move: -move[0] / move[1]):
        if blocks <= left:
            left -= blocks
            chosen[name] = other
    return with_kernels(design, chosen)


def with_kernels(design: FoldedDesign, kernels: Mapping[str, Kernel]) -> FoldedDesign:
    """The design with other kernels of the same values and cycles, by the names of their stages."""
    stages = tuple(
        replace(
            stage,
            node=replace(stage.node, kernel=kernels.get(stage.name, stage.node.kernel)),
        )
        for stage in design.stages
    )
    nodes = tuple(stage.node for stage in stages)
    return FoldedDesign(replace(design.graph, nodes=nodes), stages).check()
