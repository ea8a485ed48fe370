# SPDX-License-Identifier: BSD-3-Clause
import os
import pickle
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from itertools import combinations

import pytest

from bonn_hw.errors import UserError
from bonn_hw.report import front_picture, layers_picture, pictures
from bonn_hw.report.figures import Cycles, PerResource
from bonn_hw.report.pictures import draw_front, draw_layers
from tests.support.reports import front, point, report, stage


def network(count, dsp=3.0):
    """A design of `count` layers, a converter and a FIFO before every third of them."""
    layers = []
    for place in range(count):
        if place % 3 == 2:
            layers.append(stage(f"width_converter_{place}", "width_converter", 2000, 40.0))
            layers.append(stage(f"fifo_{place}", "fifo", 500, 60.0, 0.5))
        name = f"sliding_window_{place}" if place % 2 else f"mvu_{place}"
        cycles = 500 + 211 * place % 32000
        layers.append(stage(name, "mvu", cycles, 37.5 * place, place % 5, dsp, 128, 1152))
    return report(layers)


POINTS = (
    point(61.0, 2400.0, 44.0),
    point(12207.0, 86000.0, 30.0, 7.0, False),
    point(3052.0),
)


@pytest.fixture
def drawn():
    return pytest.importorskip("matplotlib")


def check(files, folder, stem):
    """Both files are there, whole, and nothing else."""
    assert files == [folder / f"{stem}.png", folder / f"{stem}.svg"]
    assert sorted(folder.iterdir()) == files
    assert files[0].read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert files[0].read_bytes().endswith(b"IEND\xaeB`\x82")
    text = files[1].read_text()
    assert ElementTree.fromstring(text).tag.endswith("svg")
    assert "<dc:date>" not in text
    return text


def styled(draw, *arguments):
    """Lay a figure out; return it and all texts that are seen."""
    import matplotlib.style
    from matplotlib.axis import Tick
    from matplotlib.text import Text

    with matplotlib.style.context(["default", pictures.STYLE]):
        figure = draw(*arguments)
        figure.draw_without_rendering()
    hidden = set()  # Matplotlib makes ticks beyond the ends too, and does not draw them
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            beyond = (t for t in axis.findobj(Tick) if not low <= t.get_loc() <= high)
            hidden |= {label for tick in beyond for label in (tick.label1, tick.label2)}
    found = (text for text in figure.findobj(Text) if text.get_visible() and text.get_text())
    return figure, [text for text in found if text not in hidden]


def words(texts):
    return {text.get_text() for text in texts}


def check_apart(texts):
    """No text runs into another."""
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    for (one, here), (other, there) in combinations(boxes, 2):
        assert not here.overlaps(there), (one, other)


@pytest.mark.torch
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("count", [1, 12])
def test_layers(tmp_path, count, drawn):
    design = network(count)
    text = check(draw_layers(design, tmp_path / "made/here"), tmp_path / "made/here", "layers")
    for layer in design.layers:
        # Outlines are drawn; what they say stands in comments.
        assert (f"<!-- {layer.name} -->" in text) == (layer.kernel == "mvu")
    assert "<!-- 128 × 1152 -->" in text
    assert "<!-- 32,768 cycles: 3,052 frames/s -->" in text


@pytest.mark.torch
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("points", "fps"), [(POINTS, None), (POINTS[1:2], 3000.0)])
def test_front(tmp_path, points, fps, drawn):
    text = check(draw_front(front(points, fps), tmp_path), tmp_path, "front")
    assert ("<!-- 3,000 frames/s asked for -->" in text) == (fps is not None)
    assert "<!-- DSP slices -->" in text


@pytest.mark.torch
def test_svgs_are_the_same_bytes_whatever_style_the_user_has(tmp_path, drawn):
    design = network(3)
    first = [*draw_layers(design, tmp_path / "a"), *draw_front(front(POINTS), tmp_path / "a")]
    # Another process, with another hash seed and style; pyplot would look for a display.
    (tmp_path / "matplotlibrc").write_text("axes.facecolor: red\nfont.size: 20\n")
    code = (
        "import pickle, sys, pathlib\n"
        "from bonn_hw.report.pictures import draw_front, draw_layers\n"
        "if 'matplotlib' in sys.modules: sys.exit('Matplotlib was imported too early')\n"
        "design, front = pickle.load(sys.stdin.buffer)\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "draw_layers(design, folder), draw_front(front, folder)\n"
        "import matplotlib\n"
        "if matplotlib.rcParams['font.size'] != 20: sys.exit('the style was changed')\n"
        "if 'matplotlib.pyplot' in sys.modules: sys.exit('pyplot was imported')\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "b")],
        env=os.environ | {"PYTHONHASHSEED": "7", "MATPLOTLIBRC": str(tmp_path / "matplotlibrc")},
        input=pickle.dumps((design, front(POINTS))),
        check=True,
    )
    for path in first:
        if path.suffix == ".svg":
            assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_the_module_is_imported_without_matplotlib():
    code = "import sys, bonn_hw.report.pictures; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_converters_and_fifos_share_the_row_of_the_layer_that_they_feed():
    fed = stage("mvu_1", cycles=300, lut=100.0, bram36=2.0)
    converter = stage("width_converter_0", "width_converter", 700, 10.0)
    queue = stage("fifo_0", "fifo", 200, 5.0, 0.5)
    last = stage("fifo_1", "fifo")
    rows = layers_picture._rows([stage("mvu_0"), converter, queue, fed, last])
    assert [row.layer.name for row in rows] == ["mvu_0", "mvu_1", "fifo_1"]
    assert rows[1].before == (converter, queue)
    assert rows[1].cycles == (300, 700)
    assert rows[1].amounts("lut") == (100.0, 115.0)
    assert rows[1].amounts("bram36") == (2.0, 2.5)
    assert rows[0].before == rows[2].before == ()


def bars(axes, colour):
    """Row and end of every bar of a colour."""
    from matplotlib.colors import same_color

    found = [bar for group in axes.containers for bar in group]
    return [
        (round(bar.get_y() + bar.get_height() / 2), bar.get_x() + bar.get_width())
        for bar in found
        if same_color(bar.get_facecolor(), colour)
    ]


@pytest.mark.torch
def test_the_slowest_are_told_apart_and_shares_are_stacked(drawn):
    slow = [stage("mvu_0", cycles=900), stage("mvu_1"), stage("fifo_0", "fifo", 40, 25.0)]
    layers = [*slow, stage("mvu_2", cycles=1000, bram36=3.5)]
    figure, labels = styled(layers_picture.layers_figure, report(layers, 1250, None))
    cycles, lut, bram36 = figure.axes
    assert bars(cycles, layers_picture.BLUE) == [(0, 900)]
    assert bars(cycles, layers_picture.ORANGE) == [(1, 1000), (2, 1000)]
    assert bars(lut, layers_picture.BLUE) == [(0, 100), (1, 100), (2, 100)]
    assert bars(lut, layers_picture.LIGHT_BLUE) == [(2, 125)]
    assert bars(bram36, layers_picture.BLUE) == [(2, 3.5)]
    assert {
        "pynq-z2 (xc7z020clg400-1) at 100 MHz: 80,000 frames/s",
        "1,250 cycles: 80,000 frames/s",
        "0.6% of the board's LUT",
        "LUT: 325 of 53,200",
        "2.5% of the board's BRAM36",
        "BRAM of 36 kbit: 3.5 of 140",
        "width converters and FIFOs before it",
    } <= words(labels)


@pytest.mark.torch
def test_a_converter_slower_than_every_layer_is_the_slowest(drawn):
    layers = [stage("mvu_0"), stage("width_converter_0", "width_converter", 4000), stage("mvu_1")]
    figure, _ = styled(layers_picture.layers_figure, report(layers, 4000))
    cycles = figure.axes[0]
    assert bars(cycles, layers_picture.ORANGE) == [(1, 1000)]
    assert bars(cycles, layers_picture.LIGHT_ORANGE) == [(1, 4000)]


@pytest.mark.torch
@pytest.mark.parametrize("count", [1, 12, 60])
def test_the_labels_of_layers_stand_apart(count, drawn):
    design = network(count)
    used = design.resources
    design = replace(
        design,
        cycles_per_frame=Cycles(12_845_056, None),
        resources=PerResource(
            replace(used.lut, predicted=1_234_567.8),
            used.ff,
            replace(used.bram36, predicted=1_480.5),
            used.dsp,
        ),
        target=replace(design.target, part="xczu48dr-ffvg1517-2-e", clock_mhz=333.333),
    )
    _, labels = styled(layers_picture.layers_figure, design)
    assert {layer.name for layer in design.layers if layer.kernel == "mvu"} < words(labels)
    check_apart(labels)


@pytest.mark.torch
def test_nothing_but_odd_names(tmp_path, drawn):
    layers = [stage("$\\frac{1", lut=0.0, cycles=1), stage("a--b", cycles=1, lut=0.0)]
    check(draw_layers(report(layers, 1), tmp_path), tmp_path, "layers")


@pytest.mark.torch
@pytest.mark.parametrize(
    ("rates", "fps"),
    [
        ((3052.0,), None),
        ((3052.0,), 3000.0),
        ((3052.0,), 1e6),
        ((1.0, 1.5, 3.9), 2.5),
        ((40.0, 170.0), None),
        ((0.05, 700.0, 55555.5), None),
    ],
)
def test_the_labels_of_a_front_stand_apart(rates, fps, drawn):
    points = [point(rate, 1e5 * n, 4.5 * n, 1e4 * n, n < 2) for n, rate in enumerate(rates)]
    figure, labels = styled(front_picture.front_figure, front(points, fps, "rfsoc4x2"))
    check_apart(labels)
    shown = figure.axes[0].get_xlim()
    ticks = figure.axes[0].xaxis.get_majorticklocs()
    assert len([tick for tick in ticks if shown[0] <= tick <= shown[1]]) >= 2


@pytest.mark.torch
def test_the_title_of_a_front_names_the_fastest_design_that_fits(drawn):
    _, labels = styled(front_picture.front_figure, front(POINTS))
    assert (
        "3 designs for pynq-z2 (xc7z020clg400-1) at 100 MHz, the fastest that fits: 3,052 frames/s"
    ) in words(labels)
    assert {"fits pynq-z2", "does not fit", "all of the board"} <= words(labels)
    _, labels = styled(front_picture.front_figure, front(POINTS[1:2]))
    assert "1 design for pynq-z2 (xc7z020clg400-1) at 100 MHz, none fits" in words(labels)
    assert "fits pynq-z2" not in words(labels)


@pytest.mark.torch
def test_steps_end_at_the_designs(drawn):
    figure, _ = styled(front_picture.front_figure, front(POINTS))
    every, held = figure.axes[0].lines[:2]
    assert list(every.get_xdata()[1:]) == [61.0, 3052.0, 12207.0]
    assert list(every.get_ydata()) == [2400.0, 2400.0, 11510.0, 86000.0]
    assert list(held.get_ydata()[:3]) == [2400.0, 2400.0, 11510.0]
    assert held.get_ydata()[3] != held.get_ydata()[3]


@pytest.mark.torch
def test_no_place_to_write(tmp_path, drawn):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match=r"cannot write .*front\.png: Not a directory"):
        draw_front(front(POINTS), tmp_path / "file/pictures")
