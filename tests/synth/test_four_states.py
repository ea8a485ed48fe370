# SPDX-License-Identifier: BSD-3-Clause
"""Netlists answer in four states as their test bench expects: nothing rests on what is unknown."""

import pytest

import bonn_hw
from bonn_hw import pipeline
from bonn_hw.cli.main import main
from bonn_hw.files import shipped
from tests.support import four_states
from tests.support.models import Builder

pytestmark = pytest.mark.rtl


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """The design of tests/sliced/test_command.py, so that both have one synthesis."""
    folder = tmp_path_factory.mktemp("four_states")
    model = Builder((8,)).dense(8, 6).sign().dense(6, 3).path(folder)
    command = ["compile", str(model), "--fps", "1000000", "--out", str(folder / "build")]
    assert main(command) == 0
    return pipeline.Build.load(folder / "build")


def test_a_network(build, tmp_path):
    well, told = four_states.bench(build, tmp_path / "work").run(tmp_path)
    assert well and "PASSED: all 3 output beats of 3 frames, 2 times" in told, told


def another_function(module):
    """Every table of two inputs is the opposite one."""
    for cell in module["cells"].values():
        if cell["type"] == "LUT2":
            table = cell["parameters"]["INIT"]
            cell["parameters"]["INIT"] = "".join("10"[int(bit)] for bit in table)


def no_start(module):
    """Registers start with anything, and the reset reaches none."""
    for cell in module["cells"].values():
        if cell["type"] in ("FDRE", "FDSE"):
            cell["parameters"]["INIT"] = "x"
            cell["connections"]["R" if cell["type"] == "FDRE" else "S"] = ["0"]


@pytest.mark.parametrize(
    ("fault", "message"),
    [(another_function, "FAILED: "), (no_start, "FAILED: after the reset, tready of the input is")],
)
def test_a_fault_is_found(build, tmp_path, fault, message):
    well, told = four_states.bench(build, tmp_path / "work", fault).run(tmp_path)
    assert not well and message in told, told


@pytest.mark.large
@pytest.mark.parametrize(("name", "fps"), [("digits", 50_000.0), ("fashion_cnv", 3_000.0)])
def test_networks_of_the_zoo(name, fps, tmp_path):
    """With block memories and DSP slices; the second takes minutes."""
    model = bonn_hw.Model.from_run(shipped("zoo") / name)
    model.compile("pynq-z2", fps, out=tmp_path / "build", progress=False)
    compiled = four_states.bench(pipeline.Build.load(tmp_path / "build"), tmp_path / "work")
    well, told = compiled.run(tmp_path, "+free", "+frames=1", seconds=6 * 3600)
    assert well and "of 1 frames, 1 times" in told, told
