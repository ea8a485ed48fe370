# SPDX-License-Identifier: BSD-3-Clause
"""``compare`` with values that a user expects, and ``report --html``."""

import json

import numpy as np
import pytest

import bonn_hw
from bonn_hw import pipeline
from bonn_hw.cli.main import main
from tests.support.pages import Page
from tests.support.sketch import Sketch


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    sketch = Sketch(6).sign().dense(6, 8, "hidden").sign().dense(8, 3, "last")
    model = sketch.write(folder)
    words = ["compile", str(model), "--fps", "1000000", "--out", str(folder / "build"), "--quiet"]
    assert main(words) == 0
    x = sketch.random.choice(np.array([-1, 1], np.float32), (9, 6))
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", pipeline.read_model(model).run(x))
    return folder


@pytest.mark.rtl
def test_expected_layers_and_outputs(build, tmp_path, capsys):
    words = ["compare", str(build / "build"), "--inputs", str(build / "x.npy"), "--jobs", "1"]
    assert main([*words, "--expected", str(build / "y.npy")]) == 0
    assert "first difference" not in capsys.readouterr().out

    y = np.load(build / "y.npy")
    y[4, 1] += 2
    np.save(tmp_path / "y.npy", y)
    assert main([*words, "--expected", str(tmp_path / "y.npy")]) == 1
    assert f"first difference: outputs, frame 4, output 1: {y[4, 1] - 2:g}, and {y[4, 1]:g} by the "
    assert "expected outputs" in capsys.readouterr().out
    page = Page((build / "build" / "report.html").read_text())
    assert "Outputs, frame 4, output 1: the accelerator has" in page.said("differs")

    found = bonn_hw.Build(build / "build")
    hidden, last = (found.values(np.load(build / "x.npy"), name) for name in ("hidden", "last"))
    np.savez(tmp_path / "l.npz", hidden=hidden, last=last.reshape(9, 3))
    assert main([*words, "--expected", str(tmp_path / "l.npz")]) == 0
    hidden[2, 0, 0, 5] *= -1
    np.savez(tmp_path / "l.npz", hidden=hidden, last=last + 1)
    capsys.readouterr()
    assert main([*words, "--expected", str(tmp_path / "l.npz")]) == 1
    said = capsys.readouterr()
    assert "first difference: layer hidden (mvu_0), frame 2, row 0, column 0, channel 5" in said.out
    assert said.err == (
        "bonn-hw: compare: RTL and expected values: the values of layer hidden differ\n"
    )
    # The saved simulation is the one of a report; a reader sees the last one that failed.
    assert found.report.comparison.mismatches == 9
    np.savez(tmp_path / "l.npz", hidden=hidden[:3])
    assert main([*words, "--expected", str(tmp_path / "l.npz")]) == 2
    assert "give its integers of the shape (9, 1, 1, 8), as Build.values" in capsys.readouterr().err
    np.savez(tmp_path / "l.npz", hiden=hidden)
    assert main([*words, "--expected", str(tmp_path / "l.npz")]) == 2
    assert "there is no layer 'hiden' (did you mean 'hidden'?)" in capsys.readouterr().err
    (tmp_path / "l.npz").write_bytes(b"PK")
    assert main([*words, "--expected", str(tmp_path / "l.npz")]) == 2
    assert "write it with numpy.savez" in capsys.readouterr().err
    assert main([*words, "--expected", str(build / "y.npy"), "--checkpoint", "runs/x"]) == 2
    assert "--checkpoint and --expected exclude each other" in capsys.readouterr().err


def test_report_as_a_page(build, tmp_path, capsys):
    folder = build / "build"
    (folder / "report.html").unlink()
    assert main(["report", str(folder), "--html", "--quiet"]) == 0
    text = (folder / "report.html").read_text()
    assert Page(text).said("h1") == "build"
    assert main(["report", str(folder), "--html", str(tmp_path / "p.html")]) == 0
    assert (tmp_path / "p.html").read_text() == text
    assert f"page: {tmp_path / 'p.html'}" in capsys.readouterr().err
    (folder / "report.html").unlink()
    assert main(["report", "--html", str(folder), "--quiet"]) == 0
    assert (folder / "report.html").read_text() == text
    assert main(["report", str(folder), "--html", str(tmp_path)]) == 2
    assert "is a folder" in capsys.readouterr().err


def test_the_page_of_a_front(build, tmp_path):
    out = tmp_path / "front"
    assert main(["fold", str(build / "model.onnx"), "--pareto", "--out", str(out), "--quiet"]) == 0
    text = (out / "report.html").read_text()
    (out / "report.html").unlink()
    assert main(["report", str(out), "--html", "--quiet"]) == 0
    assert (out / "report.html").read_text() == text
    points = json.loads((out / "report.json").read_text())["front"]
    assert len(points) == Page(text).said("tbody").count("yes") > 1
