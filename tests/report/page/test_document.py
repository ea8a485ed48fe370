# SPDX-License-Identifier: BSD-3-Clause
"""The page of a report: its verdict, its figures, and that it is whole and safe."""

from dataclasses import replace

import numpy as np
import pytest

from bonn_hw import pipeline
from bonn_hw.boards import board
from bonn_hw.ir.design import FoldedDesign
from bonn_hw.ir.graph import DataflowGraph
from bonn_hw.report.first_difference import differing
from bonn_hw.report.page import beside
from bonn_hw.report.page.document import page
from bonn_hw.report.values import Accuracy, LayerNote, Mismatches
from tests.report.test_values import COMPARISON
from tests.support.pages import Page
from tests.support.sketch import Sketch

EVIL = '<script>alert("1")</script>&amp;\x1b[31m\ud800'


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    sketch = Sketch(2, 4, 4).sign().conv(3, 2, name="stage.0/Conv").sign(name="stage.1/Quant")
    sketch = sketch.add("Flatten", axis=1).dense(12, 5, "last")
    chosen = board("pynq-z2")
    target = pipeline.Target(chosen, chosen.clock_mhz, 100_000.0)
    report = pipeline.compile_model(sketch.write(folder), target, folder / "mine")
    return report, pipeline.Build.load(folder / "mine").design, folder / "mine"


def read(report, design, title="mine"):
    return Page(page(report, design, title))


def simulated(report, **changes):
    return replace(report, comparison=replace(COMPARISON, **changes))


def test_compiled(made):
    report, design, folder = made
    found = read(report, design)
    assert found.said("h1") == "mine"
    assert found.said("banner noted/div./h2") == "Not simulated yet: all figures are predictions."
    assert "bonn-hw simulate" in found.said("banner")
    assert f"{report.frames_per_second.predicted:,.0f}" in found.said("tiles")
    for layer in report.layers:
        if layer.fifo is None and layer.kernel != "width_converter":
            assert layer.origin in found.said("network")
    assert found.of_class("slow") and "slowest" in found.said("card slow")
    assert report.model.sha256 in found.said("dl")
    assert all(f"{tool}{version}" in found.said("dl") for tool, version in report.tools.items())
    # compile wrote the page, and it is the same.
    assert (folder / "report.html").read_text() == page(report, design, "mine")
    assert beside.page_of(folder) == page(report, design, "mine")


def test_streams_have_their_widths(made):
    report, design, _ = made
    said = read(report, design).said("stream")
    for stream in design.streams:
        bits = stream.kind.element.bits
        assert f"({stream.lanes} × {bits})" in said
        assert f"{stream.width} bit" in said


def test_simulated_and_right(made):
    report, design, _ = made
    report = replace(simulated(report), accuracy=Accuracy(0.9, 0.8, 0.7, 0.6))
    found = read(report, design)
    assert "exactly what the model does, on all 20 frames." in found.said("banner passed")
    assert "RTL and integer graph: 20 frames equal" in found.said("verdicts")
    rows = found.said("table.short")
    assert "PyTorch90.00%" in rows and "RTL (hardware)60.00%" in rows
    assert "Where it first differs" not in found.said()


def test_a_mismatch_names_its_place(made):
    report, design, _ = made
    values = np.zeros((3, 2, 2, 12), np.int64)
    other = values.copy()
    other[1, 1, 0, 6] = 3
    first = differing(
        values, other, reference="integer graph", layer="stage.0", stage="mvu_0", first_frame=4
    )
    wrong = {"mismatches": 2, "mismatches_between": Mismatches(2, 2)}
    found = read(simulated(report, **wrong), design)
    assert "2 of 20 frames differ" in found.said("banner failed")
    assert "Run 'bonn-hw compare'" in found.said("banner failed")
    first = replace(first, cycle=1234, cycle_frame=5)
    found = read(simulated(report, **wrong, first_difference=first), design)
    said = found.said("differs")
    assert "Layer stage.0 (mvu_0), frame 5, row 1, column 0, channel 6: the RTL has 0, and" in said
    assert "the integer graph 3." in said and "cycle 1,234 after reset" in said
    assert "Channel2345678910" in said  # four neighbours on each side
    assert found.of_class("wrong") == 1
    assert found.of_class("bad") == 1 and "differs first" in found.said("card bad")
    assert "Run 'bonn-hw compare'" not in found.said("banner failed")


def test_a_design_that_does_not_fit(made):
    report, design, _ = made
    lut = replace(report.resources.lut, synthesised=1e6)
    report = replace(report, resources=replace(report.resources, lut=lut))
    found = read(report, design)
    assert "This design does not fit pynq-z2." in found.said("banner failed")
    assert found.of_class("over") == 1
    assert "pynq-z2 is too small" in read(simulated(report), design).said("banner failed")


def test_notes_stand_with_their_layer(made):
    report, design, _ = made
    note = LayerNote(layer="stage.0", kind="constant", channels=(1,), of=3, sums=())
    text = pipeline.frontend.Note("stage.0", "constant", (1,), 3).text
    report = replace(report, layer_notes=(note,), findings=(text, "a general remark"))
    said = read(report, design).said("div.note/")
    assert said.count(text.removeprefix("stage.0: ")) == 1
    assert said.startswith("stage.0") and "Whole design" in said and "a general remark" in said


def test_text_of_models_is_only_text(made):
    report, design, _ = made
    layers = tuple(replace(layer, origin=EVIL) for layer in report.layers)
    note = LayerNote(layer=EVIL, kind="constant", channels=(1,), of=3, sums=())
    evil = replace(
        report,
        layers=layers,
        layer_notes=(note,),
        findings=(EVIL,),
        tools={EVIL: EVIL},
        model=replace(report.model, dataset=EVIL),
        target=replace(report.target, board=EVIL, part=EVIL),
        boards={EVIL: True},
    )
    text = page(evil, design, EVIL)
    found = Page(text)  # no script, no attribute that runs code, everything closed
    assert "<script" not in text and "\x1b" not in text
    assert '<script>alert("1")</script>&amp;' in found.said("network")
    text.encode("utf-8")
    assert "default-src 'none'" in str(found.found)


def test_nothing_is_loaded(made):
    report, design, _ = made
    text = page(report, design, "mine")
    assert "http" not in text.replace("http-equiv", "") and "url(" not in text
    assert "@import" not in text and "prefers-color-scheme: dark" in text and "@media print" in text


def test_another_design_is_refused_and_no_command_fails(made, tmp_path):
    report, design, folder = made
    with pytest.raises(ValueError, match="the report has no figures of fifo_0"):
        page(replace(report, layers=()), design, "mine")
    nothing = FoldedDesign(DataflowGraph((), {}, "x", "y"), ())
    before = (folder / "report.html").read_text()
    assert not beside.write_again(folder, nothing)
    assert not beside.write_again(tmp_path / "lost", design)
    assert (folder / "report.html").read_text() == before
    (folder / "report.html").unlink()
    assert beside.write_again(folder, design) and (folder / "report.html").read_text() == before
