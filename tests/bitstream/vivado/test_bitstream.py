# SPDX-License-Identifier: BSD-3-Clause
"""`bonn-hw bitstream`: from a build to the folder for the board, with a stand-in for Vivado."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bonn_hw.cli.main import main
from tests.support import fake_vivado
from tests.support.sketch import Sketch

DATA = Path(__file__).parent / "data"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def build(tmp_path):
    sketch = Sketch(2, 4, 4).quant(6, scale=0.25).sign().conv(2, 2, pads=[1] * 4)
    model = sketch.sign().flatten().few_bit_dense(32, 3).write(tmp_path)
    out = tmp_path / "build"
    assert main(["compile", str(model), "--fps", "500000", "--out", str(out)]) == 0
    return out


@pytest.fixture
def tool(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    fake_vivado.install(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_VIVADO_DATA", str(DATA))
    return monkeypatch


def test_the_whole_way(build, tool):
    assert main(["bitstream", str(build)]) == 0
    names = {path.name for path in (build / "board").iterdir()}
    assert names == {
        *("accelerator.bit", "accelerator.hwh", "accelerator.json", "accelerator.npz"),
        *("bonn_driver", "measure.ipynb", "report.json"),
    }
    for place in (build, build / "board"):
        facts = json.loads((place / "report.json").read_text())
        assert facts["resources"]["lut"]["implemented"] > 0
        assert facts["timing"]["wns_ns"] > 0
    command = [
        sys.executable,
        "-m",
        "tests.bitstream.vivado.stand_in.tcl_check",
        str(build / "system"),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_a_build_that_fails_leaves_the_last_good_one(build, tool, capsys):
    assert main(["bitstream", str(build)]) == 0
    before = {p: p.read_bytes() for p in (build / "board").rglob("*") if p.is_file()}
    tool.setenv("FAKE_VIVADO", "timing missed")
    assert main(["bitstream", str(build), "--clock-mhz", "200"]) == 2
    assert "timing" in capsys.readouterr().err
    assert before == {p: p.read_bytes() for p in (build / "board").rglob("*") if p.is_file()}


def test_term_ends_the_tool_and_all_that_it_started(build, tool, tmp_path):
    """A batch system ends the command: hours of a licence must not go on."""
    tool.setenv("FAKE_VIVADO", "hangs")
    command = [sys.executable, "-m", "bonn_hw.cli.main", "bitstream", str(build)]
    started = build / "system/vivado/started"
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        while not started.is_file() or not started.read_text():
            assert process.poll() is None
            time.sleep(0.05)
        child = int(started.read_text())
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
    assert process.returncode == 143
    assert rest.endswith("bonn-hw: ended by SIGTERM; a rerun starts clean\n")
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    tool.setenv("FAKE_VIVADO", "timing met")
    assert main(["bitstream", str(build)]) == 0


def test_without_the_tool_there_is_a_plan(build, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "/nonexistent")
    assert main(["bitstream", str(build), "--board", "kv260", "--clock-mhz", "150"]) == 3
    assert "'vivado' is not on PATH" in capsys.readouterr().err
    plan = json.loads((build / "system" / "vivado" / "plan.json").read_text())
    assert plan["board"] == "kv260"
    facts = json.loads((build / "board" / "accelerator.json").read_text())
    assert (facts["board"], facts["clock_mhz"]) == ("kv260", 150)
    assert not (build / "board" / "accelerator.bit").exists()
