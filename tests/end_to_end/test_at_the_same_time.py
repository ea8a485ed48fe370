# SPDX-License-Identifier: BSD-3-Clause
"""Two commands work on one build at the same time, as real processes: no figure is lost."""

import subprocess
import sys

import numpy as np
import pytest

from bonn_hw.cli.main import main
from bonn_hw.errors import UserError
from bonn_hw.images import ImageSource
from bonn_hw.pipeline import Build
from bonn_hw.report.store import load_build
from bonn_hw.verification import simulate_and_compare
from tests.support.sketch import Sketch


@pytest.fixture
def made(tmp_path):
    sketch = Sketch(2, 4, 4).quant(6, scale=0.25).sign().conv(2, 2, pads=[1] * 4, name="conv1")
    model = sketch.sign().flatten().few_bit_dense(32, 3, name="head").write(tmp_path)
    np.save(tmp_path / "x.npy", np.zeros((4, 2, 4, 4), np.float32))
    return model, tmp_path / "build"


def compiled(model, build, fps):
    assert main(["compile", str(model), "--fps", str(fps), "--out", str(build)]) == 0


@pytest.mark.rtl
def test_simulate_and_synth(made):
    model, build = made
    compiled(model, build, 500_000)
    commands = (
        ("simulate", build, "--inputs", model.parent / "x.npy", "--jobs", "1"),
        ("synth", build, "--kernel", "mvu_0", "--jobs", "1"),
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "bonn_hw.cli", *map(str, command)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for command in commands
    ]
    for process in started:
        told, _ = process.communicate()
        assert process.returncode == 0, told
    report = load_build(build)
    assert (report.comparison.frames, report.comparison.mismatches) == (4, 0)
    assert [one.name for one in report.layers if one.synthesised is not None] == ["mvu_0"]
    assert {"verilator", "pyosys"} <= report.tools.keys()


@pytest.mark.rtl
def test_a_build_that_was_compiled_anew_meanwhile(made):
    model, folder = made
    compiled(model, folder, 500_000)
    build, images = Build.load(folder), ImageSource(model.parent / "x.npy")
    compiled(model, folder, 5_000)
    with pytest.raises(UserError, match="was replaced while this command ran"):
        simulate_and_compare(build, images)
    assert load_build(folder).comparison is None
