# SPDX-License-Identifier: BSD-3-Clause
"""The report of a compiled design and of a front, figure by figure."""

from dataclasses import replace

import pytest

from bonn_hw.boards import BOARDS, board
from bonn_hw.frontend import Note
from bonn_hw.frontend.notes import sentences
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.target import Target
from bonn_hw.passes.fifo_sizing import depths_of, size_fifos
from bonn_hw.passes.folding import Choice, choose_foldings
from bonn_hw.passes.optimum import LeastCost
from bonn_hw.passes.plan import Plan, total
from bonn_hw.passes.width_conversion import insert_width_converters
from bonn_hw.report import assemble
from bonn_hw.report.figures import Cycles, PerResource
from bonn_hw.report.values import LayerNote, Model
from bonn_hw.timing import model
from tests.support.networks import small_cnn

MODEL = Model("ab" * 32)
REMARK = Note("mvu_0", "last digits", (1, 3), 8, (5, 7))


@pytest.fixture(scope="module")
def planned():
    graph = small_cnn()
    design = size_fifos(insert_width_converters(graph, choose_foldings(graph, 600, {}, 380)))
    return Plan(
        design, model.run(design), LeastCost(cost=100.0, least_cost_without_fifos=90.0), ("a note",)
    )


def test_the_report_of_a_design(planned):
    target = Target(board("pynq-z2"), 100.0, 1000.0)
    made = assemble.compiled(planned, target, MODEL, [REMARK])
    used, interval = total(planned.design), planned.timing.interval
    assert (made.model, made.optimum, made.notes) == (MODEL, planned.optimum, planned.notes)
    assert made.target.board == "pynq-z2" and made.target.fps == 1000.0
    assert made.cycles_per_frame == Cycles(interval, None)
    assert made.latency_cycles == Cycles(planned.timing.latency, None)
    assert made.frames_per_second.predicted == round(1e8 / interval, 1) != 1e8 / interval
    predicted = [amount.predicted for amount in made.resources]
    assert predicted == [round(one, 1) for one in used.astuple()]
    assert [amount.available for amount in made.resources] == [*target.board.holds.astuple()]
    assert made.block_memory.held_bits == round(used.block_bits)
    assert made.boards == {name: not one.lacks(used) for name, one in BOARDS.items()}
    assert made.findings == (*sentences([REMARK]),) and REMARK.text in made.findings
    note = LayerNote(layer="mvu_0", kind="last digits", channels=(1, 3), of=8, sums=(5, 7))
    assert made.layer_notes == (note,)
    assert "bonn_hw" in made.tools


def test_the_layers_of_a_design(planned):
    made = assemble.compiled(planned, Target(board("pynq-z2"), 100.0), MODEL, [])
    depths = depths_of(planned.design)
    assert 0 < len(depths) < len(made.layers)
    stages = zip(made.layers, planned.design.stages, planned.timing.peaks, strict=True)
    for layer, stage, peak in stages:
        node, folding = stage.node, stage.folding
        assert (layer.name, layer.kernel, layer.origin) == (
            node.name,
            node.kernel.stem,
            node.origin,
        )
        assert (layer.pe, layer.simd, layer.cycles) == (
            folding.pe,
            folding.simd,
            Cycles(stage.cycles, None),
        )
        exact = node.kernel.resources(Folding(layer.pe, layer.simd)).astuple()
        assert layer.resources == PerResource(*(round(amount, 1) for amount in exact))
        if node.kernel.stem == "fifo":
            assert (layer.fifo.depth, layer.fifo.peak) == (node.kernel.depth, peak)
        else:
            assert layer.fifo is None


@pytest.mark.parametrize(("fps", "told"), [(None, 0), (0.999, 0), (1.0, 0), (1.001, 1)])
def test_a_rate_that_the_stages_together_miss_is_told(planned, fps, told):
    """In units of the rate that is reached."""
    reached = 1e8 / planned.timing.interval
    target = Target(board("pynq-z2"), 100.0, fps and fps * reached)
    found = assemble.compiled(planned, target, MODEL, []).findings
    assert len(found) == told
    if told:
        asked = f"{1.001 * reached:,.1f}"
        assert found[0].startswith(
            f"predicted to reach {reached:,.1f} frames per second, not {asked}: ask for a slightly"
        )


def test_a_board_that_is_too_small_and_is_no_board_of_ours(planned):
    used = total(planned.design)
    holds = Resources(used.lut, used.ff, used.bram36, used.dsp)
    exact = replace(board("pynq-z2"), name="mine", holds=holds)
    made = assemble.compiled(planned, Target(exact, 100.0), MODEL, [])
    assert made.boards["mine"] and made.findings == ()
    small = replace(exact, holds=replace(holds, lut=used.lut - 1))
    made = assemble.compiled(planned, Target(small, 100.0), MODEL, [])
    assert not made.boards["mine"]
    assert made.findings == (
        f"predicted to need {used.lut:,.0f} LUT, but mine holds {used.lut - 1:,.0f}: ask for fewer "
        "frames per second, or a larger board",
    )


def test_a_front_of_designs():
    target = Target(board("pynq-z2"), 100.0)
    small, large = Resources(1234.56, 7.07, 1.5, 0.0), Resources(1e6, 0.0, 0.0, 0.0)
    choices = [Choice({}, {}, 9.0, cycles, one) for cycles, one in ((3000, small), (7, large))]
    slow, fast = assemble.front(choices, target, MODEL).front
    assert (slow.frames_per_second, slow.cycles, slow.fits) == (33333.3, 3000, True)
    assert slow.resources == PerResource(1234.6, 7.1, 1.5, 0.0)
    assert (fast.frames_per_second, fast.fits) == (14285714.3, False)
