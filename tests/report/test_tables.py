# SPDX-License-Identifier: BSD-3-Clause
"""Tables: 80 columns, whole names, no markup, figures as far as they are known."""

import io
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from bonn_hw.interop.crosscheck_report import (
    BothEstimates,
    Crosscheck,
    FinalAnswers,
    Frames,
    LayerComparison,
    LayerEstimates,
    ModelDigest,
)
from bonn_hw.report import other_tables, tables
from bonn_hw.report.figures import Cycles, PerResource, Rate
from bonn_hw.report.grid import Column, grid, plain
from bonn_hw.report.merge import with_implemented, with_simulated, with_synthesised
from bonn_hw.report.section_values import Synthesised
from bonn_hw.report.sweep_values import Design, SweepRow
from bonn_hw.report.values import Accuracy
from tests.report.test_values import IMPLEMENTED, RUN, USE
from tests.support.reports import front, point, report, stage

ODD = ("layers[0]", "[bold]x[/bold]", ":smile:", "[/]", "\\[a]", "http://x/y")


def named(name, origin, kernel="mvu"):
    made = stage(name, kernel, 12_845_056, 17_013.4, 36.5, 3.0, 128, 1152)
    return replace(made, origin=origin)


DIGITS = report([named(f"mvu_{i}", f"conv{i}") for i in range(4)])
CNV = report([named(f"sliding_window_{i}", f"/features/features.{i}/conv/Conv") for i in range(12)])
WRN22 = report(
    [
        named(f"width_converter_{i}", f"/network/blocks.{i}/residual_function/conv2/Conv_output")
        for i in range(99, 120)
    ]
)
DESIGNS = {"digits": DIGITS, "cnv": CNV, "wrn22": WRN22}


def complete(design):
    names = [layer.name for layer in design.layers]
    use = replace(USE, lut=123_456, bram36=1_480.5)
    cycles = dict.fromkeys(names, 12_845_056)
    design = with_simulated(design, replace(RUN, layers=cycles, cycles_per_frame=12_845_056))
    design = with_synthesised(
        design, Synthesised(whole=use, stages=dict.fromkeys(names, use), tools={})
    )
    return with_implemented(design, IMPLEMENTED)


def shown(show, *arguments, width=80, **options):
    console = Console(file=io.StringIO(), width=width)
    show(*arguments, console, **options)
    return console.file.getvalue()


def fits(text, names, width=80):
    lines = text.splitlines()
    assert [line for line in lines if cell_len(line) > width] == []
    cells = [line.split()[0] for line in lines if line.strip()]
    for name in names:
        assert name in cells, name


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("known", [lambda design: design, complete])
def test_a_design_fits_80_columns_with_whole_names(name, known):
    design = known(DESIGNS[name])
    fits(shown(tables.show, design), [layer.name for layer in design.layers])


def test_a_wide_terminal_has_one_table_of_layers():
    design = complete(CNV)
    narrow, wide = (shown(tables.show, design, width=width) for width in (80, 160))
    assert (narrow.count("sliding_window_11"), wide.count("sliding_window_11")) == (3, 1)


def test_empty_columns_are_left_out():
    text = shown(tables.show, DIGITS)
    assert "simulated" not in text and "synthesised" not in text and "board" not in text
    assert "implemented" not in text
    text = shown(tables.show, complete(DIGITS))
    for heading in ("simulated", "synthesised", "implemented"):
        assert heading in text


def test_figures_are_rounded_as_far_as_they_are_known():
    text = shown(tables.show, DIGITS)
    assert "17,013" in text and "17,013.4" not in text
    assert "68,054" in text  # the sum, 68,053.6
    assert "3,052" in text and "3,051" not in text
    assert tables.rate(123.456) == "123.5" and tables.rate(0.05) == "0.05"
    assert tables.predicted("bram36", 6.5) == "6.5" and tables.predicted("bram36", 7.2) == "7"


def test_the_headings_are_the_fields_terms():
    text = shown(tables.show, complete(DIGITS))
    for term in ("available", "reference", "logic depth", "cycles per frame"):
        assert term in text
    assert "cycles a frame" not in text and "of the board" not in text


def test_which_simulation_is_shown():
    design = with_simulated(DIGITS, RUN)
    text = shown(tables.show, design)
    kept = "20 frames: 0 mismatches (of all runs, the one without stalls that has the most"
    assert kept in text
    assert "20 frames: 0 mismatches (this run)" in shown(tables.show, design, this_run=True)
    stalled = replace(RUN, comparison=replace(RUN.comparison, stall_seed=3, mismatches=2))
    text = shown(tables.show, with_simulated(DIGITS, stalled), this_run=True)
    assert "20 frames, random stalls (seed 3): 2 mismatches (this run)" in text
    text = " ".join(shown(tables.show, with_simulated(DIGITS, stalled)).split())
    assert "2 mismatches (of all runs, the one that has the most frames; none was without" in text


def row(text, name):
    return next(line.split() for line in text.splitlines() if line.strip().startswith(name))


def test_the_comparison():
    text = shown(tables.show, with_simulated(DIGITS, RUN))
    assert row(text, "PyTorch") == ["PyTorch", "–", "0"]
    assert row(text, "QONNX") == ["QONNX", "90.00", "%", "0"]
    assert row(text, "RTL") == ["RTL", "(Verilator)", "90.00", "%", "–"]
    unlabelled = with_simulated(DIGITS, replace(RUN, accuracy=Accuracy()))
    text = shown(tables.show, unlabelled)
    assert "accuracy" not in text and row(text, "QONNX") == ["QONNX", "0"]


def test_figures_of_the_board():
    measured = replace(
        DIGITS,
        cycles_per_frame=Cycles(100, None, 101.0),
        frames_per_second=Rate(1e6, 900.5),
        accuracy=Accuracy(board=0.75),
    )
    text = shown(tables.show, measured)
    assert row(text, "cycles per frame") == ["cycles", "per", "frame", "100", "101"]
    assert row(text, "frames/s measured") == ["frames/s", "measured", "–", "900.5"]
    assert row(text, "board") == ["board", "75.00", "%"]


def test_a_bitstream_is_one_sentence():
    text = " ".join(shown(tables.show, complete(DIGITS)).split())
    assert (
        "bitstream for ulx3s-85f (part) by yosys: 0 LUT, 1 FF, 2 BRAM36, 3 DSP; 25 MHz, slack "
        "0.1 ns, closes at 60.5 MHz; copy the folder 'board' of the build"
    ) in text


@pytest.mark.parametrize("name", ODD)
def test_names_are_no_markup(name):
    layer = replace(stage("mvu_0"), origin=name)
    design = replace(report([layer]), notes=(f"note of {name}",), findings=(f"of {name}",))
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="truecolor")
    tables.show(design, console)
    text = console.file.getvalue()
    assert text.count(name) == 3
    assert f"note: note of {name}" in text


def test_control_characters_are_spelt_out():
    assert plain("a\x1b[31mb\tc") == "a\\x1b[31mb\\tc"
    layer = replace(stage("mvu_0"), origin="\x1b[31mred")
    assert "\x1b" not in shown(tables.show, report([layer]))


def test_a_front():
    text = shown(tables.show, front([point(61.0, 2400.4), point(3052.0, fits=False)]))
    fits(text, ["61", "3,052"])
    assert row(text, "61") == ["61", "1,639,344", "2,400", "2,400", "36.5", "0", "yes"]
    assert row(text, "3,052")[-1] == "no"
    assert "note: FIFOs are not counted" in text


def crosscheck(count):
    layers = [f"sliding_window_{place}" for place in range(count)]
    both = BothEstimates(ours=12_845_056, finn=12_845_056)
    few = BothEstimates(ours=1_480.5, finn=1_480)
    return Crosscheck(
        verdict="defects",
        model=ModelDigest("ab"),
        frames=Frames(real=4, random=8),
        input_values_that_differ=3,
        input_defects=("rounds",),
        not_in_finns_graph=("mvu_9",),
        layers=tuple(
            LayerComparison(
                layer=name,
                origin=ODD[place % len(ODD)],
                node=f"ConvolutionInputGenerator_{place}",
                values=12_845_056,
                finn=12_845_056,
                alone=0,
                qonnx=12_845_056,
                defects=("clips",),
                verdict="defect",
            )
            for place, name in enumerate(layers)
        ),
        answers=FinalAnswers(
            frames_that_differ_from_reference=0,
            frames_that_differ_from_qonnx=2,
            rounded_sums=True,
            largest_difference_from_finn=1.25e-7,
            classes_that_differ_from_finn=0,
        ),
        estimates=tuple(
            LayerEstimates(
                layer=name,
                node="n",
                folding=(128, 1152),
                cycles=both,
                lut=both,
                bram36=few,
                dsp=few,
            )
            for name in layers
        ),
    )


def test_a_crosscheck():
    found = crosscheck(12)
    text = shown(other_tables.show_crosscheck, found)
    fits(text, [layer.layer for layer in found.layers])
    for layer in found.layers:
        assert layer.node in text
        assert layer.origin in text
    assert "input: FINN rounds" in text
    assert "not hardware in FINN's graph, compared by the answers only: mvu_9" in text
    assert "2 from qonnx's (its float sums are rounded)" in " ".join(text.split())
    assert "4 real and 8 random frames: values that differ" in text
    assert "every difference is a known defect of FINN, or" in text


def test_a_sweep():
    design = Design(
        frames_per_second=3051.8,
        cycles=32768,
        latency_cycles=133_311,
        resources=PerResource(7376.5, 5471.7, 53.0, 0.0),
        fits=True,
    )
    rows = [
        SweepRow(model="cnv[0]", board="pynq-z2", clock_mhz=100.0, fps="max", folder="/a/one"),
        SweepRow(model=":smile:", board="z", clock_mhz=99.5, fps=1e9, folder="/a/two"),
    ]
    rows = [replace(rows[0], design=design), replace(rows[1], error="out of [reach]")]
    text = shown(other_tables.show_sweep, rows)
    fits(text, ["cnv[0]", ":smile:"])
    assert row(text, "cnv[0]") == [
        *("cnv[0]", "pynq-z2", "100", "max", "3,052", "133,311", "7,376", "53", "0", "yes")
    ]
    assert "refused" in row(text, ":smile:")
    assert "two: out of [reach]" in text


def test_blocks_that_do_not_fit_go_on_below():
    names = Column("name", ["a" * 10], left=True)
    blocks = [(Column(f"c{place}", ["1" * 10]),) for place in range(5)]
    text = shown(lambda console: console.print(grid("title", names, blocks, console)), width=40)
    lines = [line.split() for line in text.splitlines() if line.startswith("a")]
    assert lines == [["a" * 10, "1" * 10, "1" * 10]] * 2 + [["a" * 10, "1" * 10]]
