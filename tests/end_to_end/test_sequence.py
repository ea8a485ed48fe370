# SPDX-License-Identifier: BSD-3-Clause
"""A 1-D network without an input quantiser, with two heads, from the file to the RTL's outputs."""

import json

import numpy as np
import pytest

from bonn_hw import pipeline
from bonn_hw.bitstream.pack import pack
from bonn_hw.cli.main import main
from bonn_hw.driver import AcceleratorError
from bonn_hw.driver.metadata import Metadata
from bonn_hw.frontend.outputs import cut_up
from tests.support.sketch import Sketch


def network():
    """Keyword spotting in small: 12 samples of 3 channels, scores and the distance to the word."""
    sketch = Sketch(3, 12, seed=11).conv(4, 3, (3,), pads=(1, 1)).norm(4, spread=1.0)
    sketch.pool((2,), (2,)).sign().conv(4, 4, (3,)).norm(4).sign()
    trunk = sketch.last
    sketch.flatten().dense(16, 3, name="words")
    sketch.outputs, sketch.last = [sketch.last], trunk
    sketch.flatten().dense(16, 1, name="distance").add("Sigmoid")
    sketch.outputs.append(sketch.last)
    return sketch


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sequence")
    given = ["--input", "uint8/255", "--board", "pynq-z2", "--fps", "200000"]
    model = network().write(folder)
    assert main(["compile", str(model), *given, "--out", str(folder / "build")]) == 0
    return folder / "build"


def frames(count=8):
    pixels = np.random.default_rng(3).integers(0, 256, (count, 3, 12))
    return pixels.astype(np.float32) / np.float32(255)


@pytest.mark.rtl
@pytest.mark.parametrize("stall", [(), ("--stall", "3")])
def test_the_rtl_answers_as_the_model(build, tmp_path, stall):
    np.save(tmp_path / "x.npy", frames())
    names = ["--inputs", str(tmp_path / "x.npy"), "--outputs", str(tmp_path / "y.npy")]
    report = ["--json", str(tmp_path / "report.json")]
    assert main(["simulate", str(build), *names, *report, *stall]) == 0
    written = [np.load(tmp_path / f"y_{place}.npy") for place in range(2)]
    assert [one.shape for one in written] == [(8, 3), (8, 1)]
    loaded = pipeline.Build.load(build)
    expected = cut_up(loaded.host.outputs, loaded.reference.run(frames()))
    for one, other in zip(written, expected.values(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert json.loads((tmp_path / "report.json").read_text())["mismatches"] == 0


def test_the_driver_answers_as_the_model(build, tmp_path):
    loaded = pipeline.Build.load(build)
    pack(loaded.design, loaded.host, loaded.report, tmp_path / "board", "words")
    metadata = Metadata.load(tmp_path / "board" / "words.bit")
    integers = loaded.design.graph.run(metadata.encode(frames()))
    answers = metadata.decode(integers.reshape(8, -1))
    np.testing.assert_array_equal(answers, loaded.reference.run(frames()))
    assert list(metadata.by_name(answers)) == network().outputs
    with pytest.raises(AcceleratorError, match="the model needs multiples of 0"):
        metadata.encode(frames() + np.float32(0.001))
