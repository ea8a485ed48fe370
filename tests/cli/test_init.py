# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw init``: the project that it writes runs as it is."""

import json
import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from bonn_hw import pipeline
from bonn_hw.cli.init import FILES
from bonn_hw.cli.main import main, make_parser
from tests.support.sketch import Sketch

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path):
    assert main(["init", str(tmp_path / "mine"), "--quiet"]) == 0
    return tmp_path / "mine"


def test_what_is_written(tmp_path, capsys):
    assert main(["init", str(tmp_path)]) == 0
    printed, noted = capsys.readouterr()
    assert printed.splitlines() == [str(tmp_path / name) for name in FILES]
    assert noted == f"next: see {tmp_path / 'README.md'}\n"
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert written == FILES.keys()
    assert os.access(tmp_path / "ci.sh", os.X_OK)


def test_nothing_is_replaced(project, capsys):
    (project / "README.md").write_text("mine")
    (project / "frames.py").unlink()
    assert main(["init", str(project)]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"bonn-hw: init: {project} has README.md, experiment.toml, ci.sh, ")
    assert (project / "README.md").read_text() == "mine" and not (project / "frames.py").exists()


def test_its_commands_are_understood(project):
    blocks = re.findall(r"^```\n(.*?)^```", (project / "README.md").read_text(), re.S | re.M)
    lines = [line for block in blocks for line in block.splitlines()]
    ours = [shlex.split(line)[1:] for line in lines if line.startswith("bonn-hw ")]
    assert [words[0] for words in ours] == ["train", "export"]
    for words in ours:
        make_parser().parse_args(words)
    # Files of the workflow and of the README are those of the project.
    workflow = (project / ".github" / "workflows" / "accelerator.yml").read_text()
    assert re.findall(r"- run: (.*)", workflow) == ['pip install "$BONN_HW"', "sh ci.sh"]
    assert "path: results\n" in workflow  # what ci.sh writes
    assert "RESULTS=${RESULTS:-results}" in (project / "ci.sh").read_text()


def test_the_page_shows_its_steps():
    """docs/ci.md has the commands of ci.sh, with the settings that stand at its top."""
    script = (ROOT / "flows" / "project" / "ci.sh").read_text().replace("\\\n", "")
    settings = dict(re.findall(r"^(\w+)=\$\{\w+:-([^}]*)\}", script, re.M))
    frames = re.search(r"set -- (--inputs .*)$", script, re.M)[1]
    steps = [line.replace('"$@"', frames) for line in re.findall(r"^bonn-hw .*$", script, re.M)]
    for name, value in settings.items():
        steps = [step.replace(f"${name}", value) for step in steps]
    page = (ROOT / "docs" / "ci.md").read_text().split("## The steps")[1]
    shown = re.findall(r"^bonn-hw .*$", page, re.M)
    assert len(steps) == 4 and list(map(shlex.split, shown)) == list(map(shlex.split, steps))


@pytest.mark.torch
def test_its_experiment_and_its_frames(project, monkeypatch):
    pytest.importorskip("sklearn")
    from bonn_hw.nn.training.experiment import Experiment

    assert Experiment.read(project / "experiment.toml").network == "digits"
    monkeypatch.chdir(project)
    runpy.run_path("frames.py", run_name="__main__")  # tests/test_wheel.py starts it as a user does
    frames, labels = np.load(project / "frames.npy"), np.load(project / "labels.npy")
    assert (frames.shape, frames.dtype, labels.shape) == ((100, 1, 8, 8), np.float32, (100,))


def ci(project, **settings):
    """Run ci.sh as a user does, with this bonn-hw first on the PATH."""
    programs = project.parent / "bin"
    programs.mkdir(exist_ok=True)
    ours = programs / "bonn-hw"
    ours.write_text(f'#!/bin/sh\nexec {sys.executable} -m bonn_hw.cli "$@"\n')
    ours.chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": path, **settings}
    return subprocess.run(
        ["sh", "ci.sh"], cwd=project, env=environment, capture_output=True, text=True
    )


def cases(path):
    """Test cases and how many failed."""
    suites = ElementTree.parse(path).getroot()
    return int(suites.get("tests")), int(suites.get("failures"))


@pytest.mark.rtl
def test_its_ci_runs_and_finds_what_is_wrong(project):
    """The network of tests/cli/test_verdicts.py, whose simulator is compiled once for both."""
    sketch = Sketch(6).sign().dense(6, 8, "hidden").sign().dense(8, 3, "last")
    model = sketch.write(project)
    model.rename(project / "model.onnx")
    frames = sketch.random.choice(np.array([-1, 1], np.float32), (9, 6))
    labels = pipeline.read_model(project / "model.onnx").run(frames).argmax(axis=1)
    labels[0] = (labels[0] + 1) % 3  # 8 of 9 are right
    np.save(project / "frames.npy", frames)
    np.save(project / "labels.npy", labels)
    results = project / "results"

    done = ci(project, FPS="1000000", MIN_ACCURACY="88%")
    assert done.returncode == 0, done.stderr
    assert json.loads((results / "doctor.json").read_text())["works"]
    assert json.loads((results / "report.json").read_text())["accuracy"]["rtl"] == round(8 / 9, 6)
    assert {path.stem: cases(path) for path in results.glob("*.xml")} == {
        "check": (2, 0),
        "compile": (1, 0),
        "simulate": (7, 0),
    }

    # The first step that fails ends it. Other limits: tests/cli/test_verdicts.py.
    done = ci(project, FPS="1e12", RESULTS="other")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("which does not meet --min-fps 1e+12")
    assert cases(project / "other" / "check.xml") == (2, 1)
    assert not (project / "other" / "build").exists()
