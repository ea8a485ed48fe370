# SPDX-License-Identifier: BSD-3-Clause
"""`bonn-hw bitstream --board ulx3s-85f`: tools from PyPI alone."""

import json
from pathlib import Path

import pytest

from bonn_hw.bitstream.open import ecp5, serial_boards
from bonn_hw.boards import board
from bonn_hw.cli.main import main
from bonn_hw.errors import ToolMissing
from tests.support.sketch import Sketch

ZOO = Path(__file__).parents[3] / "zoo" / "digits"


@pytest.fixture
def build(tmp_path):
    sketch = Sketch(2, 4, 4).quant(6, scale=0.25).sign().conv(2, 2, pads=[1] * 4)
    model = sketch.sign().flatten().few_bit_dense(32, 3).write(tmp_path)
    command = ["compile", str(model), "--fps", "10000", "--out", str(tmp_path / "build")]
    assert main(command) == 0
    return tmp_path / "build"


@pytest.mark.large
@pytest.mark.torch
def test_the_demo_on_a_ulx3s(tmp_path, capsys):
    model, folder = str(tmp_path / "digits.onnx"), tmp_path / "build"
    assert main(["export", str(ZOO), "--out", model]) == 0
    options = ["--fps", "1000", "--checkpoint", str(ZOO), "--out", str(folder)]
    assert main(["compile", model, *options]) == 0
    capsys.readouterr()
    assert main(["bitstream", str(folder), "--board", "ulx3s-85f"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "bitstream for ulx3s-85f (LFE5U-85F-6BG381C) by yosys" in told
    facts = json.loads((folder / "board" / "report.json").read_text())
    assert facts["timing"]["fmax_mhz"] > 50 > facts["timing"]["clock_mhz"] == 25
    assert 1500 < facts["resources"]["lut"]["implemented"] < 3000
    assert facts["frames_per_second"]["predicted"] == round(25e6 / 36864, 1)
    metadata = json.loads((folder / "board" / "accelerator.json").read_text())
    assert (metadata["baud"], metadata["part"]) == (1_000_000, "LFE5U-85F-6BG381C")
    assert (folder / "board" / "accelerator.bit").read_bytes()[:2] == b"\xff\x00"
    assert (folder / "board" / "bonn_driver" / "serial_line.py").is_file()


def test_a_build_for_the_board_itself(build, capsys):
    """Folded for the board, its tool and clock are taken."""
    folder = build.parent / "own"
    model = str(build / "model.onnx")
    assert main(["check", model, "--board", "ulx3s-85f", "--fps", "1000"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "at 25 MHz and with 70 % of the LUT of ulx3s-85f at most" in told
    counted = (
        "note: LUT are predicted as LUT with 6 inputs; the 83,640 LUT with 4 inputs of ulx3s-85f "
        "are counted as 24,600 of them"
    )
    assert counted in told
    options = ["--board", "ulx3s-85f", "--fps", "1000", "--out", str(folder)]
    assert main(["compile", model, *options]) == 0
    facts = json.loads((folder / "report.json").read_text())
    assert facts["target"] == {
        "board": "ulx3s-85f",
        "part": "LFE5U-85F-6BG381C",
        "clock_mhz": 25.0,
        "fps": 1000.0,
    }
    assert facts["resources"]["lut"]["available"] == 24600
    assert f"note: {facts['findings'][-1]}" == counted
    assert main(["bitstream", str(folder)]) == 0
    results = folder / "system" / "bitstream"
    assert str(folder) not in (results / "plan.json").read_text()
    assert json.loads((folder / "report.json").read_text())["timing"]["clock_mhz"] == 25
    capsys.readouterr()
    assert main(["synth", str(folder)]) == 2
    assert capsys.readouterr().err == (
        "bonn-hw: synth: LFE5U-85F-6BG381C is not an AMD device, and only cells of these are "
        "counted: 'bonn-hw bitstream' synthesises for it and reports its resources\n"
    )


@pytest.mark.large
def test_made_twice_the_same_bytes(build):
    made = []
    for _ in range(2):
        assert main(["bitstream", str(build), "--board", "ulx3s-85f"]) == 0
        results = build / "system" / "bitstream"
        made.append([(results / name).read_bytes() for name in ("accelerator.bit", "plan.json")])
    assert made[0] == made[1]


def test_another_clock_is_refused(build, capsys):
    assert main(["bitstream", str(build), "--board", "ulx3s-85f", "--clock-mhz", "50"]) == 2
    assert "ulx3s-85f runs at 25 MHz, by its oscillator" in capsys.readouterr().err


def test_without_the_tools_there_is_a_plan(build, monkeypatch, capsys):
    def nothing(chain, name, board):
        raise ToolMissing(f"no {name}")

    monkeypatch.setattr(serial_boards.Chain, "_path", nothing)
    assert main(["bitstream", str(build), "--board", "ulx3s-85f"]) == 3
    assert "no nextpnr-ecp5; the plan is written" in " ".join(capsys.readouterr().err.split())
    plan = json.loads((build / "system" / "open" / "plan.json").read_text())
    assert plan["board"] == "ulx3s-85f"


def test_missing_programs_are_named(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(serial_boards.sys, "executable", "/nonexistent/python")
    with pytest.raises(ToolMissing, match=r"ulx3s-85f lacks ecppack: pip install 'bonn-hw.ecp5.'"):
        ecp5.CHAIN._path("ecppack", board("ulx3s-85f"))
