# SPDX-License-Identifier: BSD-3-Clause
"""What units are made of is exchanged until a design fits."""

from dataclasses import replace

import numpy as np
import pytest

from bonn_hw.boards import board
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.target import Target
from bonn_hw.passes import objectives
from bonn_hw.passes.exchange import exchanged
from bonn_hw.passes.folding import Space, Tables
from bonn_hw.passes.folding_file import FoldingConstraints
from bonn_hw.passes.plan import plan, total
from bonn_hw.passes.prices import alternatives, cheapest, prices
from bonn_hw.progress import silent
from tests.support.networks import CNV_FINN_FOLDING, cnv, small_cnn

BOARD = board("pynq-z2")
TARGET = Target(BOARD, 100.0, fps=3052.0)
LUT = 20_000.0


@pytest.fixture(scope="module")
def space():
    return Space(cnv(), CNV_FINN_FOLDING, Tables(alternatives(TARGET)))


@pytest.mark.parametrize("part", [0.9, 0.6])
def test_weights_leave_block_memory(space, part):
    choice = cheapest(space, 32768, TARGET)
    most = part * choice.resources.bram36
    budget = Resources(LUT, LUT, most, choice.resources.dsp)
    fitting = exchanged(space, choice, budget, prices(TARGET))
    assert objectives.fits(fitting.resources, budget)
    assert fitting.foldings == choice.foldings
    assert fitting.cost > choice.cost
    before, after = (
        np.sum([k.resources(one.foldings[n]).astuple() for n, k in one.kernels.items()], axis=0)
        for one in (choice, fitting)
    )
    change = np.array(fitting.resources.astuple()) - choice.resources.astuple()
    np.testing.assert_allclose(after - before, change)


def test_none_is_left(space):
    choice = cheapest(space, 32768, TARGET)
    nothing = Resources(LUT, LUT, 0, choice.resources.dsp)
    assert exchanged(space, choice, nothing, prices(TARGET)) is None


def test_a_design_that_fits_stays(space):
    choice = cheapest(space, 32768, TARGET)
    same = exchanged(space, choice, BOARD.holds, prices(TARGET))
    assert (same.kernels, same.resources) == (choice.kernels, choice.resources)


def test_what_no_price_reaches_is_found(space, monkeypatch):
    """Block memory for some of the weights: one price leaves all of them there, the next none."""
    choice = cheapest(space, 32768, TARGET)
    used = choice.resources
    some = exchanged(
        space, choice, Resources(LUT, LUT, 0.5 * used.bram36, used.dsp), prices(TARGET)
    ).resources
    budget = Resources(1.01 * some.lut, LUT, some.bram36, used.dsp)
    found = objectives.within(space, 32768, budget)
    assert objectives.fits(found.resources, budget)
    monkeypatch.setattr(objectives, "exchanged", lambda *_: None)
    assert isinstance(objectives.within(space, 32768, budget), objectives.TooLarge)


def test_fifos_are_left_room():
    graph, target = small_cnn(), replace(TARGET, fps=20_000.0)
    wide = plan(graph, target, FoldingConstraints(), silent).design
    used = total(wide)
    holds = replace(BOARD.holds, dsp=used.dsp, lut=used.lut - 0.5)
    narrow = replace(target, board=replace(BOARD, holds=holds))
    design = plan(graph, narrow, FoldingConstraints(), silent).design
    assert objectives.fits(total(design), holds)
    assert [s.folding for s in design.stages] == [s.folding for s in wide.stages]
