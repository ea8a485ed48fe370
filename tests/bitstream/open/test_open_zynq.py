# SPDX-License-Identifier: BSD-3-Clause
"""`bonn-hw bitstream --tool open`: a bitstream of the demo for a PYNQ-Z2, decoded back."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from bonn_hw.bitstream.open import fasm, flow, seven_series, toolchain, zynq
from bonn_hw.bitstream.readback import frames, placed, proof
from bonn_hw.build_folder import Build
from bonn_hw.cli.main import main
from bonn_hw.errors import ToolMissing, UserError
from bonn_hw.frontend.numpy_host import tail_of
from bonn_hw.nn.training.checkpoint import Checkpoint
from tests.support import planted_frames
from tests.support.environment import absent
from tests.support.sketch import Sketch

ZOO = Path(__file__).parents[3] / "zoo" / "digits"


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A network of two layers."""
    folder = tmp_path_factory.mktemp("small")
    sketch = Sketch(2, 4, 4).quant(6, scale=0.25).sign().conv(2, 2, pads=[1] * 4)
    model = sketch.sign().flatten().few_bit_dense(32, 3).write(folder)
    command = ["compile", str(model), "--board", "pynq-z2", "--fps", "1000"]
    assert main([*command, "--out", str(folder / "build")]) == 0
    return folder / "build"


@pytest.fixture
def build(compiled, tmp_path):
    return Path(shutil.copytree(compiled, tmp_path / "build"))


@pytest.fixture(scope="module")
def tools():
    try:
        return toolchain.find("xc7z020", "xc7z020clg400-1")
    except ToolMissing as error:
        absent(f"open place and route ({error})")


@pytest.fixture(scope="module")
def digits(tools, tmp_path_factory):
    """The demo, folded as far as it goes: routing takes minutes."""
    folder = tmp_path_factory.mktemp("digits")
    assert main(["export", str(ZOO), "--out", str(folder / "digits.onnx")]) == 0
    command = ["compile", str(folder / "digits.onnx"), "--board", "pynq-z2", "--fps", "1000"]
    assert main([*command, "--checkpoint", str(ZOO), "--out", str(folder / "build")]) == 0
    assert main(["bitstream", str(folder / "build"), "--tool", "open"]) == 0
    return folder / "build"


@pytest.mark.large
@pytest.mark.torch
def test_every_test_image_and_planted_faults(tools, digits):
    """The bits answer all images as PyTorch does, and 21 faults in the frames are found."""
    database, checkpoint, build = tools.database, Checkpoint.load(ZOO), Build.load(digits)
    images = np.asarray(checkpoint.test_set().images, np.float32)
    # PyTorch's integers before the last norm, whose float operations no two libraries round alike.
    scores = build.design.graph.tensors[build.design.graph.output]
    integers = checkpoint.accumulators(images).astype(np.int64).reshape(-1, *scores.shape)
    answers = tail_of(build.host, scores).host.decode(integers)
    file = digits / "board" / "accelerator.bit"
    netlist = digits / "system" / "bitstream" / seven_series.PLACED
    shown = proof.prove(file, database, netlist, images, answers)
    assert shown.images == 364
    assert shown.tables > 1500 < shown.registers and shown.memories > 4
    read = frames.read(file.read_bytes(), database.part_file.with_name("part.json"))
    found = list(planted_frames.judged(read, database, placed.read(netlist), 21))
    assert [fault for _, fault, told in found if told is None] == []
    assert {kind for kind, _, _ in found} == {kind.__name__ for kind in planted_frames.KINDS}


@pytest.mark.large
@pytest.mark.torch
def test_a_bitstream_for_a_pynq_z2(tools, digits):
    build = digits
    made = build / "system" / "bitstream"
    bits = (build / "board" / "accelerator.bit").read_bytes()
    assert bits == (made / "accelerator.bit").read_bytes()
    assert b"xc7z020clg400-1" in bits[:200]
    assert 4_045_564 < len(bits) < 4_046_500  # UG470, table 1-1; and a header
    facts = json.loads((build / "report.json").read_text())
    assert 1500 < facts["resources"]["lut"]["implemented"] < 3500
    assert facts["timing"]["fmax_mhz"] >= facts["timing"]["clock_mhz"] == 100
    told = json.loads((build / "board" / "accelerator.json").read_text())
    assert (told["address"], told["board"]) == (0x40000000, "pynq-z2")
    assert not (build / "board" / "accelerator.hwh").exists()
    assert set(facts["seconds"]) == {"synthesis", "place_and_route", "frames"}

    features = list(fasm.read((made / "accelerator.fasm").read_text()))
    assert seven_series.decode_back(tools, made / "accelerator.bit", features) == []
    # A line of it changed: one bit of a table's contents more than there is.
    table = next(one for one in features if one.name.endswith("LUT.INIT"))
    there = {one.index for one in features if (one.tile, one.name) == (table.tile, table.name)}
    absent_bit = min(set(range(64)) - there)
    changed = [*features, fasm.Feature(table.tile, table.name, absent_bit)]
    assert seven_series.decode_back(tools, made / "accelerator.bit", changed) == [
        f"{table.tile}.{table.name}[{absent_bit}] is not in the bitstream"
    ]


def test_without_the_tools_there_is_a_plan(build, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    plans = []
    for _ in range(2):
        assert main(["bitstream", str(build), "--tool", "open"]) == 3
        message = " ".join(capsys.readouterr().err.split())
        assert "the open flow lacks nextpnr-himbaechel-xilinx" in message
        assert "run 'bonn-hw setup open-toolchain'" in message
        plans.append((build / "system" / "open" / "plan.json").read_bytes())
    assert plans[0] == plans[1]
    assert str(tmp_path).encode() not in plans[0]
    assert not (build / "board" / "accelerator.bit").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--board", "kv260"],
            "board 'kv260' has no open flow; choose one of arty-a7-100t, arty-a7-35t, "
            "icebreaker, nexys-a7-100t, pynq-z1, pynq-z2, "
            "tang-nano-20k, ulx3s-85f, or --tool vivado",
        ),
        (["--clock-mhz", "400"], "clock 400 MHz is not possible: choose one from 10 to 250 MHz"),
    ],
)
def test_what_the_flow_does_not_do(build, options, message, capsys):
    assert main(["bitstream", str(build), "--tool", "open", *options]) == 2
    assert message in capsys.readouterr().err


def fake_router(folder, text):
    folder.mkdir()
    for name in (toolchain.ROUTER, toolchain.PACKER, toolchain.READER):
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("echo 'nextpnr (Version 0.4-1)'", "is version 0.4: the flow needs 0.9 or newer"),
        ("echo hello", "says 'hello' and no version"),
        (
            '[ "$1" = --version ] && echo "(Version 0.11)" && exit; echo "ERROR: no bels"; exit 1',
            "nextpnr failed (exit code 1): ERROR: no bels",
        ),
    ],
)
def test_tools_that_fail_leave_the_last_bitstream(build, tools, monkeypatch, capsys, text, message):
    folder = fake_router(build.parent / "bin", text)
    last = build / "system" / "bitstream"
    last.mkdir(parents=True)
    (last / "report.json").write_text("{}")
    (last / "accelerator.bit").write_bytes(b"good")
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("PRJXRAY_DB_DIR", str(tools.database.root.parent))
    monkeypatch.setattr(seven_series, "synthesise", lambda *_: {})  # what comes before them
    assert main(["bitstream", str(build), "--tool", "open"]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert (last / "accelerator.bit").read_bytes() == b"good"


def test_the_router_is_told_how_far_the_ps7_reaches(tmp_path, monkeypatch):
    """Its settings are in the netlist's top; nextpnr would take 10 or 11 as binary numbers."""
    modules = {"LUT1": {"attributes": {}}, "zynq": {"attributes": {"top": "1"}, "cells": {"a": 1}}}

    def run_script(script, rtl, log):
        (tmp_path / flow.NETLIST).write_text(json.dumps({"modules": modules}))

    monkeypatch.setattr(flow.yosys, "run_script", run_script)
    planned = flow.OpenPlan("pynq-z2", "part", 100.0, "a", (), (), {}, zynq.SETTINGS)
    assert flow.synthesise(planned, tmp_path, lambda step: None) == {"a": 1}
    written = json.loads((tmp_path / flow.NETLIST).read_text())["modules"]
    assert written["zynq"]["settings"] == zynq.SETTINGS and "settings" not in written["LUT1"]
    assert all(set(value) - set("01xz") for value in zynq.SETTINGS.values())
    assert json.loads(planned.json())["settings"] == zynq.SETTINGS


def test_timing_that_is_missed_names_the_path(tmp_path):
    hop = {"type": "routing", "net": "accelerator.mvu_1.sum_q[3]"}
    report = {
        "fmax": {"clk": {"achieved": 83.3, "constraint": 100}},
        "critical_paths": [{"path": [hop, {**hop, "net": "$abc$1"}, {**hop, "net": "end[0]"}]}],
    }
    planned = flow.OpenPlan("pynq-z2", "part", 100.0, "a", (), (), {})
    told = r"reaches 83.3 MHz.*mvu_1.sum_q\[3\] to end\[0\] \(3 nets\).*--clock-mhz 80"
    with pytest.raises(UserError, match=told):
        flow.timing_of(planned, report, tmp_path)
