# SPDX-License-Identifier: BSD-3-Clause
"""Own data and limits for CI: exit codes, sentences, and the JUnit file."""

import json
from argparse import ArgumentTypeError
from xml.etree import ElementTree

import numpy as np
import pytest

from bonn_hw import pipeline
from bonn_hw.cli.main import main
from bonn_hw.cli.verdicts import limit, share
from bonn_hw.report.verdicts import Limit
from tests.support.sketch import Sketch


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verdicts")
    sketch = Sketch(6).sign().dense(6, 8, "hidden").sign().dense(8, 3, "last")
    model = sketch.write(folder)
    words = ["compile", str(model), "--fps", "1000000", "--out", str(folder / "build"), "--quiet"]
    assert main(words) == 0
    frames = sketch.random.choice(np.array([-1, 1], np.float32), (9, 6))
    y = pipeline.read_model(model).run(frames)
    labels = y.argmax(axis=1)
    labels[0] = (labels[0] + 1) % 3  # 8 of 9 are right
    for name, values in {"x": frames, "y": y, "l": labels}.items():
        np.save(folder / f"{name}.npy", values)
    return folder


def cases(path):
    return {
        case.get("name"): [child.tag for child in case]
        for case in ElementTree.parse(path).getroot()[0]
    }


@pytest.mark.rtl
def test_own_data(build, tmp_path, capsys):
    junit, facts = tmp_path / "junit.xml", tmp_path / "facts.json"
    simulate = ["simulate", str(build / "build"), "--inputs", str(build / "x.npy"), "--jobs", "1"]
    own = ["--labels", str(build / "l.npy"), "--expected", str(build / "y.npy")]
    limits = ["--min-accuracy", "88%", "--max-lut", "50%", "--min-fps", "1000000"]
    written = ["--junit", str(junit), "--json", str(facts)]
    assert main([*simulate, *own, *limits, *written]) == 0
    assert "expected" in capsys.readouterr().out
    found = json.loads(facts.read_text())
    assert found["mismatches_between"] == {
        "rtl_integer": 0,
        "rtl_qonnx": 0,
        "rtl_expected": 0,
    }
    counts = {"equal": 9, "last_digits": 0, "rounded": 0, "differ": 0, "largest": 0.0}
    assert found["expected"] == counts
    assert found["accuracy"]["rtl"] == found["accuracy"]["expected"] == round(8 / 9, 6)
    passed = ["system-out"]
    assert cases(junit) == {
        "RTL and integer graph": passed,
        "RTL and QONNX model": passed,
        "RTL and expected outputs": passed,
        "ONNX Runtime decides alike": passed,
        "cycles per frame as predicted": passed,
        "latency in cycles as predicted": passed,
        "accuracy": passed,
        "LUT": passed,
        "frames per second": passed,
    }

    wrong = np.load(build / "y.npy")
    wrong[4, 1] += 1
    np.save(tmp_path / "wrong.npy", wrong)
    own = ["--labels", str(build / "l.npy"), "--expected", str(tmp_path / "wrong.npy")]
    assert main([*simulate, *own, "--min-accuracy", "0.9", "--junit", str(junit)]) == 1
    told = capsys.readouterr().err
    assert told == (
        "bonn-hw: simulate: RTL and expected outputs: 1 of 9 frames differ\n"
        "bonn-hw: simulate: accuracy of the RTL: 0.8889, which does not meet --min-accuracy 0.9\n"
    )
    failed = [name for name, tags in cases(junit).items() if tags == ["failure"]]
    assert failed == ["RTL and expected outputs", "accuracy"]

    assert main(["simulate", str(build / "build"), "--random", "5", "--quiet"]) == 0
    assert main(["report", str(build / "build"), "--min-accuracy", "0.8"]) == 1  # 1 frame differs


def test_what_does_not_go_together(build, tmp_path, capsys):
    simulate, y = ["simulate", str(build / "build")], str(build / "y.npy")
    for words, told in (
        (["--random", "3", "--labels", y], "--labels .* goes with --inputs"),
        (["--random", "3", "--expected", y], "--expected .* goes with --inputs"),
        (["--random", "3", "--min-accuracy", "0.5"], "--min-accuracy needs the labels"),
        (["--inputs", str(build / "x.npy"), "--expected", str(build / "l.npy")], "classes are"),
    ):
        assert main([*simulate, *words]) == 2
        assert told.split(" .* ")[-1] in " ".join(capsys.readouterr().err.split())
    assert main(["report", str(build / "build"), "--junit", str(tmp_path)]) == 2
    assert "is a folder" in capsys.readouterr().err


def test_limits_of_other_commands(build, tmp_path, capsys):
    model, junit = str(build / "model.onnx"), tmp_path / "junit.xml"
    check = ["check", model, "--board", "pynq-z2", "--quiet"]
    assert main([*check, "--min-fps", "1000", "--junit", str(junit)]) == 0
    assert cases(junit) == {"supported": ["system-out"], "frames per second": ["system-out"]}
    assert main([*check, "--min-fps", "1e12"]) == 1
    assert "does not meet --min-fps 1e+12" in capsys.readouterr().err
    assert main([*check, "--fps", "1000", "--max-lut", "1"]) == 1
    assert "at least" in capsys.readouterr().err
    assert main([*check, "--max-lut", "1"]) == 2
    assert main(["check", model, "--min-fps", "5"]) == 2
    fold = ["fold", model, "--fps", "1000", "--out", str(tmp_path / "fold"), "--quiet"]
    assert main([*fold, "--max-lut", "0.001%"]) == 1
    assert (tmp_path / "fold" / "report.json").is_file()  # it is made, and judged
    assert main(["report", str(tmp_path / "fold"), "--quiet", "--min-fps", "1000"]) == 0
    pareto = ["fold", model, "--pareto", "--out", str(tmp_path / "front"), "--max-lut", "5"]
    assert main(pareto) == 2


def test_numbers_and_percentages():
    assert limit("20000") == Limit(20000) and limit("40%") == Limit(0.4, share=True)
    assert (str(limit("40%")), str(limit("20000"))) == ("40%", "20000")
    assert (share("97%"), share("0.97"), share("1")) == (0.97, 0.97, 1.0)
    for text in ("0", "-1%", "many", "%"):
        with pytest.raises(ArgumentTypeError):
            limit(text)
    for text in ("97", "0%", "101%", "x%"):
        with pytest.raises(ArgumentTypeError):
            share(text)
