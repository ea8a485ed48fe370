# SPDX-License-Identifier: BSD-3-Clause
"""The demo's commands, one by one, as a user types them."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.browser import browser, opening, program
from bonn_hw.cli.main import main
from tests.support.walk import Walk, blocks

pytestmark = [pytest.mark.rtl, pytest.mark.torch]
ROOT = Path(__file__).parents[2]
NOTHING = re.compile("(?!)")  # every command runs here
FRAMES = 364  # test images of the data set


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The tutorial, followed from top to bottom; its commands are those of `make demo`."""
    folder, patch = tmp_path_factory.mktemp("demo"), pytest.MonkeyPatch()
    walk, missing = Walk(), []
    with patch.context() as there:
        there.chdir(folder)
        there.setenv("COLUMNS", "100")
        for language, text in blocks(ROOT / "docs" / "tutorial.md"):
            if language == "python":
                walk.python(text)
                assert walk.printed.splitlines()[1:] == ["(4, 8, 8, 32)", "True"]
            elif language == "text":
                missing += walk.shown(text)
            else:
                walk.commands(text, NOTHING, codes=(0, 3))  # 3: there is no Vivado
    assert missing == []
    return folder


def test_the_tutorial_is_the_demo():
    """`make demo` runs the same commands, with other places for what they write."""
    recipe = re.search(r"^demo:.*?\n\n", (ROOT / "Makefile").read_text(), re.M | re.S)[0]
    recipe = recipe.replace("$(DEMO)/run", "runs/digits").replace("$(DEMO)/digits", "digits")
    recipe = recipe.replace("$(DEMO)/accelerator", "build/digits").replace("$(BIN)/", "")
    shown = [" ".join(line.split()) for _, text in blocks(ROOT / "docs" / "tutorial.md")
             for line in text.splitlines()]  # fmt: skip
    for line in re.findall(r"^\t(bonn-hw .*?)(?: --json \S+)?$", recipe, re.M):
        assert line in shown


def simulate(demo, *arguments):
    """Run the command and return its report."""
    report = demo / "sim.json"
    command = ["simulate", str(demo / "build" / "digits"), "--json", str(report), *arguments]
    assert main(command) == 0
    return json.loads(report.read_text())


@pytest.mark.parametrize("stall", [None, 1, 2])
def test_every_test_image_is_equal_everywhere(demo, stall):
    stalls = [] if stall is None else ["--stall", str(stall)]
    facts = simulate(
        demo, "--dataset", "digits", "--checkpoint", str(demo / "runs" / "digits"), *stalls
    )
    assert facts["frames"] == FRAMES
    assert facts["mismatches"] == 0
    assert facts["mismatches_between"] == {"rtl_integer": 0, "rtl_qonnx": 0, "rtl_pytorch": 0}
    accuracy = facts["accuracy"]
    assert accuracy["pytorch"] == accuracy["qonnx"] == accuracy["integer"] == accuracy["rtl"] > 0.95
    if stall is None:
        for key in ("cycles_per_frame", "latency_cycles"):
            assert facts[key]["simulated"] == facts[key]["predicted"]
        for layer in facts["layers"]:
            assert layer["cycles"]["simulated"] == layer["cycles"]["predicted"], layer
    else:
        assert facts["cycles_per_frame"]["simulated"] > facts["cycles_per_frame"]["predicted"] * 0.5
    kept = json.loads((demo / "build" / "digits" / "report.json").read_text())
    if stall is None:
        assert kept == facts
    else:  # the run without stalls stands, the last one beside it
        assert (kept["stall_seed"], kept["frames"]) == (None, FRAMES)
        section = json.loads((demo / "build" / "digits" / "report" / "simulated.json").read_text())
        assert section["last"]["stall_seed"] == stall
        assert section["main"]["stall_seed"] is None


def test_keys_of_the_report_are_those_of_the_contract(demo):
    facts = simulate(demo, "--dataset", "digits", "--count", "20")
    assert facts["target"].keys() >= {"board", "part", "clock_mhz"}
    assert facts["model"].keys() >= {"sha256"}
    assert facts["accuracy"].keys() >= {"pytorch", "integer", "rtl"}
    for layer in facts["layers"]:
        assert layer.keys() >= {"name", "kernel", "pe", "simd", "cycles"}
    assert facts["tools"].keys() >= {"bonn_hw", "python", "numpy", "onnxruntime", "verilator"}
    assert facts["frames_per_second"]["predicted"] >= 50000


def test_outputs_are_what_the_qonnx_model_answers(demo, tmp_path):
    from qonnx.core.modelwrapper import ModelWrapper

    from tests.support.qonnx_sessions import execute_onnx

    levels = np.random.default_rng(5).integers(-128, 128, (9, 1, 8, 8))
    x = (levels / 128).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    simulate(demo, "--inputs", str(tmp_path / "x.npy"), "--outputs", str(tmp_path / "y.npy"))
    y = np.load(tmp_path / "y.npy")
    model = ModelWrapper(str(demo / "digits.onnx"))
    entry, exit_ = model.graph.input[0].name, model.graph.output[0].name
    expected = [execute_onnx(model, {entry: frame[None]})[exit_][0] for frame in x]
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, np.stack(expected))


def test_the_same_model_gives_the_same_files(demo, tmp_path):
    arguments = ["compile", str(demo / "digits.onnx"), "--fps", "50000"]
    arguments += ["--checkpoint", str(demo / "runs" / "digits"), "--out", str(tmp_path / "again")]
    assert main(arguments) == 0
    first, second = demo / "build" / "digits" / "rtl", tmp_path / "again" / "rtl"
    names = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert names == sorted(p.relative_to(second) for p in second.rglob("*") if p.is_file())
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)


def test_report_prints_what_is_known(demo, capsys):
    run = ("--dataset", "digits", "--checkpoint", str(demo / "runs" / "digits"))
    simulate(demo, *run)
    capsys.readouterr()
    assert simulate(demo, *run, "--count", "20")["frames"] == 20
    assert "20 frames: 0 mismatches (this run)" in capsys.readouterr().out
    assert main(["report", str(demo / "build" / "digits")]) == 0
    text = capsys.readouterr().out
    assert "cycles per frame" in text and "RTL (Verilator)" in text
    assert f"{FRAMES} frames: 0 mismatches (of all runs, the one without stalls" in text
    assert main(["report", str(demo / "build" / "digits"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == FRAMES


@pytest.mark.skipif(program() is None, reason="needs chromium-headless-shell")
def test_its_page_opens_within_a_second(demo):
    """From the start of the navigation until it is loaded and painted, by the page's own clock."""
    assert main(["simulate", str(demo / "build" / "digits"), "--dataset", "digits", "--quiet"]) == 0
    with browser() as tab:
        tab.show(1000, 1200)
        assert opening(tab, demo / "build" / "digits" / "report.html").seconds < 1
        verdict = tab.evaluate("document.querySelector('.banner h2').innerText")
        assert (
            verdict == f"The hardware computes exactly what the model does, on all {FRAMES} frames."
        )
        rows = tab.evaluate(
            "[...document.querySelectorAll('.network li')].map(r => r.offsetHeight)"
        )
        assert len(rows) > 5 and set(rows) == {84}  # also where no row has been on the screen yet
        assert tab.evaluate("document.body.scrollWidth") == 1000  # nothing stands out


@pytest.mark.large
def test_waves_on_request(demo, tmp_path):
    wave = tmp_path / "w.fst"
    simulate(demo, "--dataset", "digits", "--count", "2", "--trace", str(wave))
    assert wave.stat().st_size > 1000
