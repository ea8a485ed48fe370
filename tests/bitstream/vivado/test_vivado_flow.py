# SPDX-License-Identifier: BSD-3-Clause
"""Vivado's flow without Vivado: plans, runs of a stand-in, what each failure says and leaves."""

import importlib.util
import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bonn_hw.bitstream.vivado import flow, plan
from bonn_hw.bitstream.vivado.bit_file import read_header
from bonn_hw.bitstream.vivado.reports import read_timing
from bonn_hw.bitstream.vivado.timing_missed import missed, next_clock_mhz, stages_of
from bonn_hw.boards import board
from bonn_hw.emit.top import emit
from bonn_hw.emit.write import write
from bonn_hw.errors import ToolMissing, UserError
from bonn_hw.ir.target import Target
from bonn_hw.pipeline import Build, compile_model
from bonn_hw.report.section_values import Implemented
from bonn_hw.report.store import load
from tests.bitstream.vivado.stand_in import tcl_check
from tests.bitstream.vivado.stand_in.tcl_check import write_rtl
from tests.support import fake_vivado
from tests.support.environment import absent
from tests.support.sketch import Sketch

PYNQ_Z2 = board("pynq-z2")
DATA = Path(__file__).parent / "data"
TOP = """module top;
  mvu #(
    .PE(1)
  ) conv_1 (
    .clk(clk)
  );
endmodule
"""


@pytest.fixture
def build(tmp_path):
    folder = tmp_path / "build"
    write_rtl(folder / "rtl")
    (folder / "rtl/top.v").write_text(TOP)
    return folder


@pytest.fixture
def way(tmp_path, monkeypatch):
    """Put the stand-in on PATH; the fixture sets how its next run goes."""
    if importlib.util.find_spec("tkinter") is None:
        absent("Python's tkinter")
    (tmp_path / "bin").mkdir()
    fake_vivado.install(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_VIVADO_DATA", str(DATA))
    return lambda name: monkeypatch.setenv("FAKE_VIVADO", name)


def refused(build, **options):
    with pytest.raises(UserError) as error:
        flow.make_bitstream(plan.plan(build, PYNQ_Z2, **options), build)
    return str(error.value)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# Plans.


def test_equal_builds_have_equal_plans(build, tmp_path):
    other = tmp_path / "elsewhere" / "other"
    other.parent.mkdir()
    write_rtl(other / "rtl")
    (other / "rtl/top.v").write_text(TOP)
    plans = [plan.plan(folder, PYNQ_Z2).json() for folder in (build, other, build)]
    assert len(set(plans)) == 1
    assert str(tmp_path) not in plans[0]
    assert plan.write(plan.plan(build, PYNQ_Z2), build).read_text() == plans[0]


def test_a_plan_changes_with_what_it_is_made_of(build):
    before = plan.plan(build, PYNQ_Z2)
    assert plan.plan(build, PYNQ_Z2, clock_mhz=125).sha256 != before.sha256
    assert plan.plan(build, board("pynq-z1")).sha256 != before.sha256
    (build / "rtl/mem/weights.hex").write_text("1\n")
    after = plan.plan(build, PYNQ_Z2)
    assert {name for name in after.sources if after.sources[name] != before.sources[name]} == {
        "mem/weights.hex"
    }


@pytest.mark.parametrize("name", tcl_check.PLANNED)
def test_every_board_has_its_part_and_its_settings_in_the_command(build, name):
    chosen = board(name)
    planned = plan.plan(build, chosen)
    words = planned.command
    assert words[:7] == ("vivado", "-mode", "batch", "-nojournal", "-log", "vivado.log", "-source")
    start = words.index("-tclargs") + 1
    given = dict(zip(words[start::2], words[start + 1 :: 2], strict=True))
    assert given["--part"] == chosen.part and given["--family"] == chosen.family
    assert given["--clock-mhz"] == f"{chosen.clock_mhz:g}" == f"{planned.clock_mhz:g}"
    for key, value in chosen.processing_system:
        assert given["--" + key.replace("_", "-")] == value


def test_the_boards_are_those_that_are_promised():
    promised = {"pynq-z1", "pynq-z2", "ultra96-v2", "kv260", "zcu104", "aup-zu3"}
    assert set(tcl_check.PLANNED) == promised | {"zcu111", "rfsoc4x2"}


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        (
            "ulx3s-85f",
            {},
            "board 'ulx3s-85f' has no Vivado flow; choose one of aup-zu3, kv260, pynq-z1, pynq-z2, "
            "rfsoc4x2, ultra96-v2, zcu104, zcu111, or --tool open",
        ),
        (
            "pynq-z2",
            {"clock_mhz": 400.0},
            "clock 400 MHz is not possible: choose one from 10 to 250 MHz",
        ),
        (
            "kv260",
            {"clock_mhz": 900.0},
            "clock 900 MHz is not possible: choose one from 10 to 500 MHz",
        ),
        (
            "pynq-z2",
            {"name": "../x"},
            "name '../x' cannot be a file's stem: letters, digits, _ and -, a letter first",
        ),
    ],
)
def test_what_cannot_be_planned(build, name, options, text):
    with pytest.raises(UserError) as error:
        plan.plan(build, board(name), **options)
    assert str(error.value) == text


def test_a_build_without_a_shell(tmp_path):
    with pytest.raises(UserError, match=r"has no rtl/system.v, the accelerator with its shell"):
        plan.plan(tmp_path, PYNQ_Z2)


def test_a_build_without_a_memory_image(build):
    (build / "rtl/top.v").write_text(TOP.replace("1", '"mem/conv_1.hex"', 1))
    with pytest.raises(UserError, match=r"rtl lacks mem/conv_1\.hex, which top\.v names"):
        plan.plan(build, PYNQ_Z2)


# Runs.


def test_without_the_tool_the_plan_is_written(build, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ToolMissing, match=r"'vivado' is not on PATH.*the plan is written: copy "):
        flow.make_bitstream(plan.plan(build, PYNQ_Z2), build)
    work = build / "vivado"
    planned = json.loads((work / "plan.json").read_text())
    assert set(planned["scripts"]) == {path.name for path in (work / "scripts").iterdir()}
    assert not (build / "bitstream").exists()


@pytest.mark.parametrize("name", ["pynq-z2", "kv260"])
def test_a_bitstream(build, way, name):
    way("timing met")
    steps = []
    planned = plan.plan(build, board(name), name="cnv")
    built = flow.make_bitstream(planned, build, steps.append)
    assert built.bitstream == build / "bitstream/cnv.bit"
    assert read_header(built.bitstream).stamp == planned.stamp
    assert (build / "bitstream/cnv.hwh").is_file()
    assert not (build / "vivado").exists()
    assert "step route_design" in steps
    assert any(step.startswith("clock ") for step in steps)
    facts = json.loads((build / "bitstream/report.json").read_text())
    assert facts["resources"]["lut"] == {"implemented": 3412.0, "implemented_accelerator": 2510.0}
    assert facts["resources"]["bram36"]["implemented"] == 7.5
    assert facts["timing"]["wns_ns"] == 1.274
    assert facts["tool"] == "vivado 2022.2"
    assert facts["plan_sha256"] == planned.sha256
    assert set(facts["sha256"]) == {"cnv.bit", "cnv.hwh"}
    saved = load(Implemented, build / "bitstream/report.json")
    assert replace(saved, plan_sha256=None, sha256=None) == built.figures


def test_a_bitstream_replaces_the_last_one(build, way):
    way("timing met")
    flow.make_bitstream(plan.plan(build, PYNQ_Z2, name="old"), build)
    flow.make_bitstream(plan.plan(build, PYNQ_Z2, name="new"), build)
    assert {path.name for path in (build / "bitstream").glob("*.bit")} == {"new.bit"}


FAILURES = {
    "timing missed": r"timing is missed on pynq-z2 at 200 MHz by 1\.530 ns \(setup, 97 endpoints\) "
    r"in stage 'conv_1': worst path board_i/accelerator/inst/core/conv_1/.* -> .*total_q_reg"
    r".*build again with --clock-mhz 142\.857 \(this placement reaches 153 MHz\), or compile for",
    "part not installed": r"vivado failed in step start \(exit code 1\): bonn-hw: error: part "
    r"'xc7z020clg400-1' is not installed: add its family",
    "synthesis fails": r"vivado failed in step synth_design \(exit code 1\): bonn-hw: error: .*"
    r"\[Mock 1-1\] synth_design failed; see .*vivado\.log",
    "crash": r"vivado failed in step place_design \((signal 11|exit code 139)\)",
    "mute": r"vivado ended without an error and has not written accelerator\.bit, accelerator\.hwh",
    "silent": r"a report of vivado cannot be read: timing\.rpt: no section 'Design Timing",
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failed_build_says_why_and_keeps_the_last_bitstream(build, way, name):
    way(name)
    with pytest.raises(UserError, match=FAILURES[name]):
        flow.make_bitstream(plan.plan(build, PYNQ_Z2), build)
    assert not (build / "bitstream").exists()
    if name == "silent":  # there is a bitstream, and no report that says whether it is good
        assert "accelerator.bit was not taken yet" in refused(build)
        shutil.rmtree(build / "vivado")
    way("timing met")
    flow.make_bitstream(plan.plan(build, PYNQ_Z2), build)
    before = contents(build / "bitstream")
    way(name)
    message = refused(build)
    assert contents(build / "bitstream") == before
    assert (build / "vivado/console.log").is_file()
    if name not in ("mute", "silent"):
        assert f"the bitstream of an earlier build is unchanged: {build}/bitstream" in message


@pytest.mark.parametrize("number", ["2020.1", "2025.2"])
def test_a_version_that_the_scripts_are_not_written_for(build, way, monkeypatch, number):
    way("timing met")
    monkeypatch.setenv("FAKE_VIVADO_VERSION", number)
    told = refused(build)
    assert f"vivado is of version {number}: the scripts are written for 2020.2 to 2025.1" in told


def test_a_program_that_is_not_the_tool(build, way, tmp_path):
    (tmp_path / "bin/vivado").write_text("#!/bin/sh\necho command not licensed\n")
    assert "says 'command not licensed' and no version: check its installation" in refused(build)


def test_files_that_changed_after_the_plan(build, way):
    way("timing met")
    planned = plan.plan(build, PYNQ_Z2)
    (build / "rtl/mem/weights.hex").write_text("1\n")
    with pytest.raises(UserError, match="rtl differs from the files of the plan: plan and build"):
        flow.make_bitstream(planned, build)


def test_a_folder_that_is_not_ours_is_refused_before_the_tool_starts(build, way):
    way("hangs")
    (build / "bitstream").mkdir()
    assert "exists and is not a bitstream folder of bonn-hw (it has no report.json)" in refused(
        build
    )


def test_two_runs_on_one_build(build, way):
    way("hangs")

    def second(text):
        way("timing met")
        assert f"another run makes a bitstream of {build}: wait for its end" in refused(build)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        flow.make_bitstream(plan.plan(build, PYNQ_Z2), build, second)
    assert flow.make_bitstream(plan.plan(build, PYNQ_Z2), build).bitstream.is_file()


def test_a_compiled_network_goes_through_the_flow(tmp_path, way):
    """Real stages and memory images; the shell is the checker's."""
    way("timing met")
    sketch = Sketch(2, 6, 6).quant(6, scale=0.25).sign().conv(4, 2, pads=[1] * 4, name="conv1")
    model = sketch.sign().flatten().dense(144, 10, name="head").write(tmp_path)
    build = tmp_path / "compiled"
    compile_model(model, Target(board("kv260"), 150.0, fps=10_000.0), build)
    design = Build.load(build).design
    shutil.rmtree(build / "rtl")
    write(emit(design), build / "rtl")
    before = {path.name for path in (build / "rtl").iterdir()}
    write_rtl(build / "rtl")
    planned = plan.plan(build, board("kv260"))
    assert before - {"mem", "cells"} < set(planned.sources)
    assert sum(name.startswith("mem/") for name in planned.sources) > 2
    assert tcl_check.check_build(build) == []
    assert flow.make_bitstream(planned, build).bitstream.is_file()
    facts = json.loads((build / "report.json").read_text())
    assert {layer["name"] for layer in facts["layers"]} == stages_of(build / "rtl")


def test_an_interrupted_build_ends_the_tool_and_keeps_the_last_bitstream(build, way):
    way("timing met")
    flow.make_bitstream(plan.plan(build, PYNQ_Z2), build)
    before = contents(build / "bitstream")
    way("hangs")
    steps = []

    def interrupt(text):
        steps.append(text)
        raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        flow.make_bitstream(plan.plan(build, PYNQ_Z2), build, interrupt)
    assert time.monotonic() - start < 30  # the stand-in would sleep for ten minutes
    assert steps == ["step place_design"]
    assert contents(build / "bitstream") == before
    child = int((build / "vivado/started").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_a_slow_path_of_logic_and_one_of_hold_ask_for_other_changes(build):
    planned = plan.plan(build, PYNQ_Z2)
    timing = read_timing(DATA / "timing_missed.rpt")
    deep = replace(timing, paths=(replace(timing.paths[0], logic=0.7),))
    text = missed(planned, deep, build / "vivado", {"conv_1"})
    assert "or compile with a smaller SIMD for 'conv_1': most of the path is logic" in text
    hold = replace(timing, wns_ns=0.1, whs_ns=-0.05)
    text = missed(planned, hold, build / "vivado", set())
    assert "by 0.050 ns (hold" in text and "a lower clock does not help" in text


@pytest.mark.parametrize(
    ("reached", "pll", "clock"),
    [(153.1, 1000, 142.857), (142.858, 1000, 142.857), (250, 1000, 250), (149.9, 1500, 136.363)],
)
def test_the_next_clock_is_one_that_the_board_divides_from_its_pll(reached, pll, clock):
    assert next_clock_mhz(reached, pll) == clock <= reached


def test_progress_names_the_step_and_the_phase_of_the_tool():
    told = []
    steps = flow.Steps(told.append)
    for line in (
        "Phase 1 Read before any step",
        "bonn-hw: step place_design",
        "Command: place_design",
        "Phase 2.1.1 Update Timing before SLR Path Opt | Checksum: 1a2b3c",
        "Phase 4 Post Placement Optimization and Clean-Up",
        "Time (s): cpu = 00:00:11 ; elapsed = 00:00:07 . Memory (MB): peak = 2891.3",
        "Starting Placer Task",
        "Start Timing Optimization : Time (s): cpu = 00:00:20",
        "bonn-hw: step route_design",
    ):
        steps(line)
    assert told == [
        "step place_design",
        "step place_design, Phase 2.1.1 Update Timing before SLR Path Opt",
        "step place_design, Phase 4 Post Placement Optimization and Clean-Up",
        "step place_design, Starting Placer Task",
        "step place_design, Start Timing Optimization",
        "step route_design",
    ]
