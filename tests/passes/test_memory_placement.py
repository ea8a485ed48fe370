# SPDX-License-Identifier: BSD-3-Clause
"""Tables and queues move to block memory where it is cheap, until there is none."""

from dataclasses import replace

import numpy as np
import pytest

from bonn_hw.boards import board
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.target import Target
from bonn_hw.ir.tensor import BIPOLAR, TensorType
from bonn_hw.kernels.fifo import Fifo
from bonn_hw.kernels.placement import Placement
from bonn_hw.kernels.requantize import Requantize
from bonn_hw.kernels.threshold import Threshold
from bonn_hw.passes.memory_placement import place_memories
from bonn_hw.passes.plan import total
from tests.kernels.test_multi_threshold import staircase
from tests.kernels.test_mvu import matrix_unit
from tests.support.bench import lone_design
from tests.support.grids import signed

BOARD = board("pynq-z2")
TARGET = Target(BOARD, 100.0)
CHANNELS = 512


def per_channel(kind):
    """A table of a line a channel."""
    lines = np.random.default_rng(0).integers(-99, 99, (2, CHANNELS, 1))
    return Requantize(kind, signed(4), *lines, 4, True, 0)


ALONE = Folding(1, 1)
WIDE = TensorType((1, 1, CHANNELS), signed(12))
KERNELS = {
    "levels": (
        replace(matrix_unit(BIPOLAR, 64, 288, (8, 8), classes=3), placement=Placement(True, True)),
        Folding(1, 32),
    ),
    "lines": (per_channel(WIDE), ALONE),
    "thresholds": (Threshold(WIDE, np.arange(CHANNELS) * 7 % 997, np.zeros(CHANNELS, bool)), ALONE),
    "steps": (staircase(signed(12), signed(6), 64, (2, 2), seed=2), ALONE),
    "queue": (Fifo(WIDE, 400), ALONE),
}


def placed(name, **board):
    """A kernel alone, and what it takes on a Zynq 7020 with other numbers of its resources."""
    holds = replace(BOARD.holds, **board)
    design = lone_design(*KERNELS[name])
    found = place_memories(design, replace(TARGET, board=replace(BOARD, holds=holds)))
    return found.stages[0].node.kernel, total(found)


@pytest.mark.parametrize("name", KERNELS)
def test_idle_block_memory_is_taken(name):
    in_lut, most = placed(name, bram36=0.5 * (name == "levels"))
    in_block, less = placed(name)
    assert most.bram36 < less.bram36
    assert most.lut - less.lut > 47.5 * (less.bram36 - most.bram36)  # its price
    folding = KERNELS[name][1]
    assert in_lut.schedule(folding).latency == in_block.schedule(folding).latency
    one, two = in_lut.rtl(folding), in_block.rtl(folding)
    changed = {key for key in one.parameters if one.parameters[key] != two.parameters[key]}
    assert changed in ({"LEVELS_IN_BLOCK"}, {"BLOCK"}, {"BLOCKS"}, {"STYLE", "TAPS"})


def test_only_the_steps_that_gain_move():
    kernel, _ = placed("steps")
    assert 0 < kernel.steps_in_lut < kernel.element.bits


def test_block_memory_that_is_to_be_saved_is_not_taken():
    design = lone_design(*KERNELS["lines"])
    assert total(place_memories(design, replace(TARGET, prefer="bram"))).bram36 == 0
    assert total(place_memories(design, TARGET)).bram36 > 0
