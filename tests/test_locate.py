# SPDX-License-Identifier: BSD-3-Clause
"""A fault that is planted in a memory of the RTL is found: layer, pixel, channel and cycle."""

from dataclasses import replace

import numpy as np
import pytest

import bonn_hw
from bonn_hw import pipeline
from bonn_hw.cli.main import main
from tests.support.pages import Page
from tests.support.sketch import Sketch

pytestmark = pytest.mark.rtl


UNIT = "mvu_1"  # the second convolution


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A build, frames, and the graph of its RTL, in which the sign of one weight is planted."""
    folder = tmp_path_factory.mktemp("locate")
    sketch = Sketch(2, 6, 6).sign().conv(3, 2, name="first/Conv").sign(name="first/Quant")
    sketch = sketch.conv(4, 3, name="second/Conv").sign(name="second/Quant")
    sketch = sketch.add("Flatten", axis=1).dense(16, 5, "last")
    model = bonn_hw.Model(str(sketch.write(folder)))
    model.compile("pynq-z2", 100_000, out=folder / "build", progress=False)
    x = sketch.random.choice(np.array([-1, 1], np.float32), (8, 2, 6, 6))
    np.save(folder / "x.npy", x)
    loaded = pipeline.Build.load(folder / "build")
    graph = loaded.design.graph
    stage = next(one for one in loaded.design.stages if one.name == UNIT)
    weights = stage.node.kernel.weights.copy()
    weights[2, 7] *= -1
    kernel = replace(stage.node.kernel, weights=weights)
    for name, image in kernel.rtl(stage.folding).memories.items():
        memory = folder / "build" / "rtl" / "mem" / f"{UNIT}_{name.lower()}.hex"
        assert memory.is_file()
        memory.write_text(image.hex())
    nodes = (replace(one, kernel=kernel) if one.name == UNIT else one for one in graph.nodes)
    planted = replace(graph, nodes=tuple(nodes))
    values = dict(planted.walk(loaded.host.encode(x)))
    wrong = values[graph.output].reshape(8, -1) != graph.run(loaded.host.encode(x)).reshape(8, -1)
    return folder, x, values[stage.node.outputs[0]], np.flatnonzero(wrong.any(axis=1))


def test_the_layer_the_pixel_and_the_cycle(made):
    folder, x, faulty, wrong = made
    build = bonn_hw.Build(folder / "build", trust=True)
    assert 0 < len(wrong) < 8  # a frame before the first may differ in the layer alone
    found = build.compare(x, jobs=1)
    first = found.first_difference
    right = build.values(x, UNIT)
    frame = wrong[0]
    place = tuple(np.argwhere(faulty[frame] != right[frame])[0])
    assert (first.stage, first.layer, first.frame, first.place) == (
        (UNIT, "second/Conv", frame, place)
    )
    assert (first.value, first.expected) == (faulty[frame][place], right[frame][place])
    assert place[-1] == 2
    assert first.reference == "integer graph" and first.cycle_frame == frame
    assert f"first difference: layer second/Conv ({UNIT}), frame {frame}, row" in str(found)
    np.testing.assert_array_equal(build.values(x, UNIT, rtl=True), faulty)
    whole = found.report.latency_cycles.predicted + found.report.cycles_per_frame.predicted
    assert 0 < first.cycle < whole  # that of one frame
    page = Page((folder / "build" / "report.html").read_text())
    row, column, _ = place
    where = f"Layer second/Conv ({UNIT}), frame {frame}, row {row}, column {column}, channel 2"
    assert where in page.said("differs")
    assert f"{len(wrong)} of 8 frames differ" in page.said("banner failed")
    waves(first, build, faulty[frame], page)


def waves(first, build, faulty, page):
    """The picture has the streams into the unit and out of it, at the cycle that differs."""
    *_, own = first.waves
    assert own.source == UNIT and len(first.waves) > 1
    place = first.cycle - own.first_cycle
    assert own.valid[place] == own.ready[place] == "1"
    stream = build._loaded.design.streams[int(own.stream.partition("_")[2])]
    row, column, channel = first.place
    begin = channel - channel % stream.lanes
    lanes = faulty[row, column, begin : begin + stream.lanes]
    beat = "".join(str(int(one > 0)) for one in lanes[::-1])
    assert int(own.data[place], 16) == int(beat, 2)  # element 0 is in the lowest bit
    lengths = {len(w.valid) for w in first.waves} | {len(w.data) for w in first.waves}
    assert lengths == {len(own.ready)} and len(own.ready) <= 17
    for one in first.waves:
        assert [word != "" for word in one.data] == [level == "1" for level in one.valid]
    assert page.of_class("waves") == page.of_class("here") == 1
    assert own.data[place] in page.said("svg.waves") and f"{first.cycle:,}" in page.said("cycle")


def test_the_command(made, tmp_path, capsys):
    folder, _, faulty, wrong = made
    words = ["compare", str(folder / "build"), "--inputs", str(folder / "x.npy"), "--jobs", "1"]
    assert main(words) == 2  # the manifest sees the fault
    assert "was damaged or changed" in capsys.readouterr().err
    assert main([*words, "--trust"]) == 1
    said = capsys.readouterr()
    assert f"first difference: layer second/Conv ({UNIT}), frame {wrong[0]}, row" in said.out
    assert said.err == (
        f"bonn-hw: compare: RTL and integer graph: {len(wrong)} of 8 frames differ\n"
        f"bonn-hw: compare: RTL and QONNX model: {len(wrong)} of 8 frames differ\n"
    )
    place = tmp_path / "layer.npy"
    dump = ["--layer", UNIT, "--outputs", str(place)]
    assert main([*words, "--trust", *dump]) == 0
    np.testing.assert_array_equal(np.load(place), faulty)
    assert f"{place}: {UNIT}, 8 × 2 × 2 × 4" in capsys.readouterr().out
    assert main([*words, "--layer", UNIT]) == 2
    assert "--layer NAME and --outputs FILE go together" in capsys.readouterr().err
