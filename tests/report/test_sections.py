# SPDX-License-Identifier: BSD-3-Clause
"""Sections of a report: which simulation is kept; concurrent commands lose nothing."""

import json
import subprocess
import sys
from dataclasses import replace
from itertools import permutations

import pytest

from bonn_hw.errors import UserError
from bonn_hw.report import sections
from bonn_hw.report.section_values import Simulations, Synthesised
from bonn_hw.report.store import load, save
from bonn_hw.report.values import Report
from tests.report.test_values import IMPLEMENTED, RUN, USE
from tests.support.reports import report, stage

PREDICTED = report([stage("mvu_0"), stage("mvu_1")])


def run(frames, stall=None):
    comparison = replace(RUN.comparison, frames=frames, stall_seed=stall)
    return replace(RUN, comparison=comparison, latency_cycles=frames)


def synthesised(*stages, whole=None):
    return Synthesised(whole=whole, stages=dict.fromkeys(stages, USE), tools={"pyosys": "1"})


@pytest.fixture
def build(tmp_path):
    sections.begin(tmp_path, PREDICTED)
    return tmp_path


def written(build):
    return load(Report, build / "report.json")


def test_a_fresh_build_has_its_predictions(build):
    assert written(build) == PREDICTED == sections.merged(build)
    assert [path.name for path in (build / "report").iterdir()] == ["predicted.json"]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_commands_in_any_order_lose_nothing(build, order):
    """Each was started before any other ended: all hold the report of the beginning."""
    known = sections.identity(build)
    commands = (
        lambda: sections.add_simulated(build, known, run(20)),
        lambda: sections.add_synthesised(build, known, synthesised("mvu_0", whole=USE)),
        lambda: sections.add_implemented(build, known, IMPLEMENTED),
    )
    for place in order:
        commands[place]()
    found = written(build)
    assert found.comparison.frames == 20
    assert found.latency_cycles.simulated == 20
    assert found.layers[0].cycles.simulated == 7
    assert found.layers[0].synthesised == USE == found.synthesis
    assert found.resources.lut.known == {"predicted": 200.0, "synthesised": 1, "implemented": 0.0}
    assert found.implementation.bitstream.board == "ulx3s-85f"
    assert found.tools == {"bonn_hw": "0", "verilator": "5", "pyosys": "1", "bitstream": "yosys"}


def test_processes_at_the_same_time_lose_nothing(build):
    """Eight processes, each with a stage of its own."""
    names = [f"mvu_{place}" for place in range(8)]
    sections.begin(build, report([stage(name) for name in names]))
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from bonn_hw.report import sections\n"
        "from bonn_hw.report.section_values import Synthesised\n"
        "from bonn_hw.synth.netlist import Use\n"
        "folder, name = Path(sys.argv[1]), sys.argv[2]\n"
        "use = Use(1, 2, 0, 0, 3, 1, 0, 0, 4)\n"
        "found = Synthesised(whole=None, stages={name: use}, tools={})\n"
        "known = sections.identity(folder)\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "sections.add_synthesised(folder, known, found)\n"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(build), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    for process in started:
        assert process.stdout.readline() == "ready\n"
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate()[0] for process in started] == [""] * 8
    assert [process.returncode for process in started] == [0] * 8
    assert all(layer.synthesised is not None for layer in written(build).layers)


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (run(20), run(364), run(364)),
        (run(364), run(20), run(364)),
        (run(364), run(364, stall=1), run(364)),
        (run(20), run(364, stall=1), run(20)),
        (run(364, stall=1), run(20), run(20)),
        (run(20, stall=1), run(30, stall=2), run(30, stall=2)),
        (run(30, stall=1), run(20, stall=2), run(30, stall=1)),
        (run(20, stall=1), run(20, stall=2), run(20, stall=2)),
    ],
)
def test_the_run_that_is_kept(build, first, second, kept):
    known = sections.identity(build)
    sections.add_simulated(build, known, first)
    told = sections.add_simulated(build, known, second)
    assert written(build).comparison == kept.comparison
    assert written(build).latency_cycles.simulated == kept.latency_cycles
    # The command itself shows the run just made; it stands in the section too.
    assert told.comparison == second.comparison
    assert told.latency_cycles.simulated == second.latency_cycles
    section = load(Simulations, build / "report/simulated.json")
    assert (section.main, section.last) == (kept, second)


def test_stages_are_added_to_those_of_before(build):
    known = sections.identity(build)
    sections.add_synthesised(build, known, synthesised("mvu_1", whole=USE))
    found = sections.add_synthesised(build, known, synthesised("mvu_0"))
    assert [layer.synthesised for layer in found.layers] == [USE, USE]
    assert found.synthesis == USE


def test_a_build_made_anew_meanwhile(build):
    known = sections.identity(build)
    sections.begin(build, replace(PREDICTED, notes=("another",)))
    for add, found in (
        (sections.add_simulated, RUN),
        (sections.add_synthesised, synthesised("mvu_0")),
        (sections.add_implemented, IMPLEMENTED),
    ):
        with pytest.raises(UserError, match="was replaced while this command ran: its figures"):
            add(build, known, found)
    assert written(build).comparison is None


def test_a_damaged_section_names_the_remedy(build):
    for name, command in (("simulated", "simulate"), ("synthesised", "synth")):
        path = build / "report" / f"{name}.json"
        path.write_text("{")
        with pytest.raises(UserError) as caught:
            sections.merged(build)
        told = str(caught.value)
        assert told.startswith(f"report {path} cannot be read: it is not JSON")
        assert told.endswith(
            f"remove it, and run 'bonn-hw {command} {build}' again for its figures"
        )
        path.unlink()


def test_a_build_of_before_there_were_sections(tmp_path):
    save(PREDICTED, tmp_path / "report.json")
    old = json.loads((tmp_path / "report.json").read_text())
    del old["schema"]
    (tmp_path / "report.json").write_text(json.dumps(old))
    assert sections.identity(tmp_path) is None
    sections.add_synthesised(tmp_path, None, synthesised("mvu_0"))
    found = sections.add_simulated(tmp_path, None, run(20))
    assert written(tmp_path) == found
    assert found.layers[0].synthesised == USE
    assert found.comparison.frames == 20
