# SPDX-License-Identifier: BSD-3-Clause
"""Scripts in one process of FINN's environment, here an interpreter without FINN."""

import sys

import pytest

from bonn_hw.errors import UserError
from bonn_hw.interop import finn_environment

SCRIPT = """
import os, sys
def main():
    if sys.argv[1] == "fail":
        raise ValueError("said so")
    if sys.argv[1] == "die":
        os._exit(3)
    print("process", os.getpid(), sys.argv[1:])
"""


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """A folder that looks like FINN's environment, and a script that its process finds."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "ready").touch()
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "told.py").write_text(SCRIPT)
    run = tmp_path / "bin" / "python"
    run.write_text(f'#!/bin/sh\nPYTHONPATH={modules} exec {sys.executable} "$@"\n')
    run.chmod(0o755)
    monkeypatch.setenv(finn_environment.VARIABLE, str(tmp_path))


def said(*words):
    lines = []
    finn_environment.run("told.py", *words, progress=lines.append)
    return [line for line in lines if line.startswith("process")]


def test_one_process_for_several_scripts(environment):
    with finn_environment.session():
        (first,), (second,) = said("a", "with space"), said("b")
        assert first.split()[1] == second.split()[1]
        assert first.endswith("['a', 'with space']")
        with pytest.raises(UserError, match=r"told.py ended with 1:[\s\S]*ValueError: said so"):
            said("fail")
        assert said("c")[0].split()[1] == second.split()[1]
        with pytest.raises(UserError, match=r"told.py ended with 3:"):
            said("die")
        assert said("d")[0].split()[1] != second.split()[1]


def test_a_script_alone_has_a_process_of_its_own(environment, monkeypatch):
    monkeypatch.setattr(finn_environment, "_sessions", [])
    assert said("a") != said("a")
