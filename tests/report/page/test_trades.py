# SPDX-License-Identifier: BSD-3-Clause
"""Pages of many designs, the training's curves, and what shows under the pointer."""

from dataclasses import replace

import pytest

from bonn_hw.report.figures import PerResource
from bonn_hw.report.page.chart import Axis, Chart, tip
from bonn_hw.report.page.curves import curves
from bonn_hw.report.page.markup import joined, tag
from bonn_hw.report.page.trades import front_page, sweep_page
from bonn_hw.report.sweep_values import Design, SweepRow
from bonn_hw.report.training import of_run
from bonn_hw.report.values import Epoch, Front, Model, Point, Target, Training
from tests.support.pages import Page

EVIL = "<script>x</script>"
USED = PerResource(1234.4, 900.0, 12.5, 0.0)
TARGET = Target(board="pynq-z2", part="xc7z020", clock_mhz=100.0, fps=None)


def test_a_front():
    points = tuple(
        Point(frames_per_second=rate, cycles=int(1e8 / rate), resources=USED, fits=rate < 4000)
        for rate in (1000.0, 2000.0, 5000.0)
    )
    front = Front(model=Model(sha256="0"), target=TARGET, front=points, findings=(), tools={})
    found = Page(front_page(front, "mine"))
    assert "3 designs that no other beats" in found.said("section")
    assert "the fastest that fits: 2,000 frames/s" in found.said("section")
    assert found.of_class("chart") == 2  # LUT and BRAM36; no design has a DSP slice
    assert found.of_class("point") == 6 and found.of_class("hollow") == 2
    box = "100,000 cycles1,000 frames/s1,234 LUT, 12.5 BRAM36fits"
    assert found.said("g.tip").startswith(box)
    assert "100,000 cycles1,000100,0001,23490012.50yes" in found.said("tbody")
    none = replace(front, front=tuple(replace(one, fits=False) for one in points))
    assert "none fits" in Page(front_page(none, "mine")).said("section")


def test_a_sweep():
    design = Design(
        frames_per_second=2000.0, cycles=50_000, latency_cycles=9, resources=USED, fits=True
    )
    rows = [
        SweepRow(model=EVIL, board=board, clock_mhz=100.0, fps=2000.0, folder=f"/x/{board}",
                 design=design)
        for board in ("pynq-z2", "zcu104")
    ]  # fmt: skip
    rows.append(replace(rows[0], design=None, error=f"{EVIL} is out of reach", folder="/x/lost"))
    text = sweep_page(rows, "all")
    found = Page(text)
    assert "2 designs, and 1 refused." in found.said("section")
    assert f"lost {EVIL} is out of reach" in found.said("note")
    assert f"{EVIL}, pynq-z2 at 100 MHz{EVIL}, zcu104 at 100 MHz" in found.said("legend")
    assert found.of_class("n0") and found.of_class("n1") and "<script" not in text
    assert Page(sweep_page(rows[2:], "none")).of_class("chart") == 0


def test_a_training(tmp_path):
    epochs = tuple(
        Epoch(loss=1 / n, train_accuracy=0.5 + n / 10, test_accuracy=None if n == 2 else 0.6)
        for n in (1, 2, 3)
    )
    training = Training(network="cnv", tested="test", epochs=epochs)
    found = Page(tag("main", *curves(training)))
    said = "cnv, 3 epochs, loss 0.3333, training accuracy 80.00%, test accuracy 60.00%."
    assert found.said("lead") == said
    assert found.of_class("point") == 5 and "epoch 3training 80.00%" in found.said("tip")
    assert len(list(curves(replace(training, epochs=(Epoch(loss=1.0),))))) == 1
    (tmp_path / "metrics.json").write_text(
        '{"experiment": {"network": "cnv"}, "tested": "test", "epochs": [{"loss": 1, '
        '"train_accuracy": 0.5, "test_accuracy": null}]}'
    )
    assert of_run(tmp_path).epochs == (Epoch(loss=1.0, train_accuracy=0.5),)
    for broken in ("", "[]", '{"epochs": 3}'):
        (tmp_path / "metrics.json").write_text(broken)
        assert of_run(tmp_path) is None
    assert of_run(None) is of_run(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("axis", "ticks"),
    [
        (Axis("x", 0, 10), ["0", "2", "4", "6", "8", "10"]),
        (Axis("x", 1000, 20_000, log=True), ["1,000", "2,000", "5,000", "10,000", "20,000"]),
        (Axis("x", 0.5, 0.75, percent=True), ["50%", "55%", "60%", "65%", "70%", "75%"]),
        (Axis("x", 3, 3), ["3"]),
    ],
)
def test_ticks_are_round(axis, ticks):
    assert [axis.text(value) for value in axis.ticks] == ticks


def test_a_box_stays_inside_the_chart():
    chart = Chart(Axis("x", 0, 1), Axis("y", 0, 1))
    for x, y in ((0, 0), (1, 1), (1, 0)):
        svg = Page(joined(tip(*chart.at(x, y), ["a design", "12,345 frames/s"])))
        (box,) = (one for name, one in svg.found if name == "rect")
        assert float(box["x"]) >= 0 and float(box["x"]) + float(box["width"]) <= 720
        assert float(box["y"]) >= 0 and float(box["y"]) + float(box["height"]) <= 320
