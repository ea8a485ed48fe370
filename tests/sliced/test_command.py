# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw simulate --engine``: the same answers and cycles, and what is proved."""

import json

import pytest

from bonn_hw.cli.main import main
from tests.support.models import Builder

pytestmark = pytest.mark.rtl


def test_simulate_with_the_gates(tmp_path, capsys):
    model = Builder((8,)).dense(8, 6).sign().dense(6, 3).path(tmp_path)
    build = tmp_path / "build"
    assert main(["compile", str(model), "--fps", "1000000", "--out", str(build)]) == 0
    facts = {}
    for engine in ("sliced", "verilator"):
        report = tmp_path / f"{engine}.json"
        command = ["simulate", str(build), "--random", "300", "--engine", engine]
        capsys.readouterr()
        assert main([*command, "--json", str(report)]) == 0
        shown = " ".join(capsys.readouterr().out.split())
        assert ("300 frames: 0 mismatches (this run; its cycles hold for all data)" in shown) == (
            engine == "sliced"
        )
        assert ("RTL (as gates)" in shown) == (engine == "sliced")
        facts[engine] = json.loads(report.read_text())
    assert [one.get("cycles_hold_for_all_data") for one in facts.values()] == [True, None]
    for key in ("cycles_per_frame", "latency_cycles"):
        assert facts["sliced"][key] == facts["verilator"][key]
    report = tmp_path / "netlist.json"
    command = ["simulate", str(build), "--random", "300", "--netlist", "--json", str(report)]
    assert main(command) == 0
    facts["netlist"] = json.loads(report.read_text())
    assert facts["netlist"]["netlist"]
    for key in ("cycles_per_frame", "latency_cycles"):
        assert facts["netlist"][key] == facts["verilator"][key]
    trace = ["--engine", "sliced", "--trace", str(tmp_path / "w.fst")]
    assert main(["simulate", str(build), "--random", "3", *trace]) == 2
    assert "needs --engine verilator: the bit-sliced engine has no" in capsys.readouterr().err
