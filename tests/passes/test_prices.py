# SPDX-License-Identifier: BSD-3-Clause
"""What is scarce is dear: weights and sums go where there is room."""

from dataclasses import replace

import numpy as np
import pytest

from bonn_hw.boards import board
from bonn_hw.errors import UserError
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.target import PREFERENCES, Target
from bonn_hw.passes.folding import Space, Tables
from bonn_hw.passes.folding_file import FoldingConstraints
from bonn_hw.passes.plan import plan, total
from bonn_hw.passes.prices import alternatives, cheapest, price, prices
from tests.support.networks import CNV_FINN_FOLDING, cnv

BOARD = board("pynq-z2")
TARGET = Target(BOARD, 100.0, fps=3052.0)


@pytest.fixture(scope="module")
def chosen():
    """CNV in FINN's folding, for each preference."""
    space = Space(cnv(), CNV_FINN_FOLDING, Tables(alternatives(TARGET)))
    return {one: cheapest(space, 32768, replace(TARGET, prefer=one)) for one in PREFERENCES}


@pytest.mark.parametrize(
    ("prefer", "bram36", "dsp"),
    [("lut", 47.5, 30.2), ("bram", 3040, 241.8), ("dsp", 380, 1934.5)],
)
def test_a_resource_that_is_to_be_saved_costs_eight_times_its_share(prefer, bram36, dsp):
    found = prices(replace(TARGET, prefer=prefer))
    assert found.round(1).tolist() == [1, 0, bram36, dsp]
    used = Resources(lut=7, ff=5, bram36=2, dsp=3)
    assert price(used, replace(TARGET, prefer=prefer)) == pytest.approx(
        7 + 2 * found[2] + 3 * found[3]
    )


def test_what_is_preferred_is_saved(chosen):
    used = {name: one.resources for name, one in chosen.items()}
    assert used["lut"].lut == min(one.lut for one in used.values())
    assert used["bram"].bram36 == min(one.bram36 for one in used.values()) < used["lut"].bram36
    assert used["dsp"].dsp == 0 < used["lut"].dsp


def test_only_memories_and_slices_change(chosen):
    graph = cnv()
    for choice in chosen.values():
        for node in graph.nodes:
            other, folding = choice.kernels[node.name], choice.foldings[node.name]
            before, after = node.kernel.schedule(folding), other.schedule(folding)
            assert np.array_equal(before.need, after.need) and before.latency == after.latency
            assert other.rtl(folding).stem == node.kernel.stem


def test_a_board_without_idle_memory_gets_weights_in_lut():
    """Idle memory is cheap until there is none: then the price rises until the design fits."""
    space = Space(cnv(), CNV_FINN_FOLDING, Tables(alternatives(TARGET)))
    wish = cheapest(space, 32768, TARGET).resources
    small = replace(BOARD, holds=replace(BOARD.holds, bram36=wish.bram36 - 10))
    found = cheapest(space, 32768, replace(TARGET, board=small)).resources
    assert wish.bram36 - 20 <= found.bram36 <= wish.bram36 - 10
    assert found.lut > wish.lut


def test_open_tools_and_no_dsp_get_no_sums_in_dsp_slices():
    targets = (
        TARGET,
        replace(TARGET, board=replace(BOARD, tools=("open",))),
        replace(TARGET, dsp=False),
    )
    fixed = FoldingConstraints(CNV_FINN_FOLDING)
    made = [plan(cnv(), one, fixed, lambda text: None) for one in targets]
    vivado, other, without = (total(one.design) for one in made)
    assert vivado.dsp > 0 == other.dsp
    assert vivado.lut < other.lut and vivado.bram36 == other.bram36
    assert without == other
    assert len({(one.timing.latency, one.timing.interval) for one in made}) == 1
    assert "a RAMB36 counts as 48 LUT, a DSP slice as 30" in made[0].notes[0]


def test_a_preference_is_one_of_three():
    from bonn_hw.api.target import target_of

    with pytest.raises(UserError, match="prefer='ff': give one of lut, bram, dsp"):
        target_of("pynq-z2", None, 10.0, prefer="ff")
    assert target_of("pynq-z2", None, 10.0, prefer="bram").prefer == "bram"
