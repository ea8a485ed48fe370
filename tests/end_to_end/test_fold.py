# SPDX-License-Identifier: BSD-3-Clause
"""`bonn-hw fold`: what it writes, that `compile` makes the same of it, and what it refuses."""

import json

import pytest

from bonn_hw.cli.main import main
from bonn_hw.ir import store
from bonn_hw.ir.design import FoldedDesign
from bonn_hw.kernels import kernels
from bonn_hw.report import tables
from tests.support.sketch import Sketch


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A block with a shortcut; its sums take as long as three rows of its image."""
    sketch = Sketch(2, 6, 6).quant(6, scale=0.25)
    entry = sketch.last
    sketch.sign().conv(2, 2, pads=[1] * 4, name="conv1").quant(6, scale=0.25)
    sketch.join(entry, "sum1").quant(6, scale=0.25)
    return (
        sketch.flatten().few_bit_dense(72, 3, name="head").write(tmp_path_factory.mktemp("model"))
    )


def run(*arguments):
    return main([str(argument) for argument in arguments])


def fails(capsys, *arguments):
    capsys.readouterr()
    assert run(*arguments) == 2
    return capsys.readouterr().err.strip().removeprefix("bonn-hw: ")


def design(folder):
    return store.load(FoldedDesign, folder, "design", kernels())


def test_fold_writes_what_compile_makes(model, tmp_path, capsys):
    assert run("fold", model, "--fps", 200_000, "--out", tmp_path / "fold") == 0
    told = capsys.readouterr().out
    assert "every folding that reaches this rate needs at least" in told
    names = {path.name for path in (tmp_path / "fold").iterdir()}
    assert names == {
        *("design.json", "design.npz", "folding.json", "finn_folding.json"),
        *("report.json", "report.html", "report", "pictures"),
    }  # fmt: skip
    pictures = {path.name for path in (tmp_path / "fold/pictures").iterdir()}
    assert pictures == {"layers.png", "layers.svg"}
    assert run("compile", model, "--fps", 200_000, "--out", tmp_path / "same") == 0
    pins = tmp_path / "fold/folding.json"
    assert run("compile", model, "--folding", pins, "--out", tmp_path / "pinned") == 0
    for folder in ("same", "pinned"):
        assert design(tmp_path / folder) == design(tmp_path / "fold")
    facts = json.loads((tmp_path / "fold/report.json").read_text())
    assert facts["frames_per_second"]["predicted"] >= 200_000
    assert facts["optimum"]["least_cost_without_fifos"] <= facts["optimum"]["cost"]
    fifos = [layer["fifo"] for layer in facts["layers"] if layer["kernel"] == "fifo"]
    assert fifos and all(1 <= fifo["peak"] <= fifo["depth"] for fifo in fifos)
    shares = [layer["resources"]["lut"] for layer in facts["layers"]]
    assert sum(shares) == pytest.approx(
        facts["resources"]["lut"]["predicted"], abs=0.1 * len(shares)
    )
    assert "has foldings and no RTL: make it with 'bonn-hw compile MODEL --folding" in fails(
        capsys, "simulate", tmp_path / "fold", "--dataset", "digits"
    )


def test_finns_file_leads_to_the_same_foldings(model, tmp_path):
    assert run("fold", model, "--fps", 200_000, "--out", tmp_path / "a") == 0
    finns = tmp_path / "a/finn_folding.json"
    assert run("fold", model, "--fps", 200_000, "--folding", finns, "--out", tmp_path / "b") == 0
    assert design(tmp_path / "a") == design(tmp_path / "b")


def test_the_fastest_and_all_trade_offs(model, tmp_path, capsys):
    assert run("fold", model, "--max-fps", "--out", tmp_path / "fast") == 0
    assert "the fastest that fits is limited by" in capsys.readouterr().out
    fast = json.loads((tmp_path / "fast/report.json").read_text())
    assert fast["optimum"]["proved"]
    assert run("fold", model, "--pareto", "--out", tmp_path / "front") == 0
    front = json.loads((tmp_path / "front/report.json").read_text())["front"]
    assert front[-1]["frames_per_second"] == fast["frames_per_second"]["predicted"]
    assert (tmp_path / "front/pictures/front.svg").is_file()
    capsys.readouterr()
    assert run("report", tmp_path / "front") == 0
    assert tables.rate(front[0]["frames_per_second"]) in capsys.readouterr().out


def test_latency(model, tmp_path):
    latencies = []
    for extra in ((), ("--latency-ms", 0.003)):
        arguments = ("fold", model, "--fps", 100_000, *extra, "--out", tmp_path / "fold")
        assert run(*arguments) == 0
        facts = json.loads((tmp_path / "fold/report.json").read_text())
        latencies.append(facts["latency_cycles"]["predicted"])
    assert latencies[0] > 300 >= latencies[1]


def test_a_join_whose_fifo_is_too_short_is_refused(model, tmp_path, capsys):
    path = tmp_path / "pins.json"
    path.write_text('{"add_0": {"inFIFODepths": [0, 1]}}')
    out = tmp_path / "out"
    text = fails(capsys, "fold", model, "--fps", 200_000, "--folding", path, "--out", out)
    assert text.startswith(
        "folding: with the fixed FIFO depths the design deadlocks: no beat moves after cycle "
    )
    assert "stream_fork_0 waits for the FIFO of" in text
    assert "add_0 waits for a beat from" in text
    assert text.endswith(
        "give the FIFO of this message a larger depth, or none, so that bonn_hw chooses it"
    )
    assert not out.exists()


def test_a_target_out_of_reach_says_the_nearest(model, tmp_path, capsys):
    out = tmp_path / "out"
    text = fails(capsys, "fold", model, "--fps", 1e7, "--out", out)
    assert text.startswith("folding: 10,000,000.0 frames per second are out of reach at 100 MHz: ")
    most = text.split("the most is ")[1].split(",  or")[0].split(", or")[0].replace(",", "")
    assert run("fold", model, "--fps", most, "--out", out) == 0


def test_pins_that_contradict_each_other(model, tmp_path, capsys):
    path = tmp_path / "pins.json"
    path.write_text('{"mvu_0": {"PE": 1, "SIMD": 1}, "mvu_0": {"PE": 2, "SIMD": 1}}')
    text = fails(capsys, "fold", model, "--folding", path, "--out", tmp_path / "out")
    assert "mvu_0 is given twice, as {'PE': 1, 'SIMD': 1} and as {'PE': 2, 'SIMD': 1}" in text


def test_goals_that_exclude_each_other(model, tmp_path, capsys):
    out = ("--out", tmp_path / "out")
    assert "give --fps or --max-fps" in fails(capsys, "fold", model, *out)
    text = fails(capsys, "fold", model, "--max-fps", "--latency-ms", 1, *out)
    assert text == "fold: --latency-ms goes with --fps, not with --max-fps"
    text = fails(capsys, "fold", model, "--pareto", "--fps", 3, *out)
    assert text.startswith("fold: --pareto shows all rates")


def test_check_tells_what_fits(model, capsys):
    assert run("check", model, "--board", "pynq-z2", "--fps", 1000) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "at 100 MHz and with 70 % of the LUT of pynq-z2 at most" in told
    assert "limited by" in told and "1,000.0 frames per second need" in told
    assert (
        fails(capsys, "check", model, "--fps", 3) == "check: --fps and --clock-mhz need a --board"
    )
