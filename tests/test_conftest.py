# SPDX-License-Identifier: BSD-3-Clause
"""The rules of tests/conftest.py, shown on small suites of their own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SKIPS = {
    "mark": "@pytest.mark.skip(reason='no need')\ndef test_it(): pass",
    "call": "def test_it(): pytest.skip('no need')",
    "fixture": "@pytest.fixture\ndef tool(): pytest.skip('no need')\ndef test_it(tool): pass",
    "no values": "@pytest.mark.parametrize('value', [])\ndef test_it(value): pass",
    "module": "pytest.importorskip('no_such_package')\ndef test_it(): pass",
}


def suite(folder, text, *arguments, **environment):
    """Run pytest with our rules over one file; return its exit code and what it says."""
    (folder / "test_small.py").write_text(f"import pytest\n{text}\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:randomly"]
    command += ["-p", "no:cacheprovider", "--rootdir", str(folder), *arguments, str(folder)]
    path = os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))
    given = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    given |= {"PYTHONPATH": path, "CI": "", **environment}
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=given)
    return done.returncode, done.stdout + done.stderr


def test_a_skip_is_a_failure_in_ci_only(tmp_path):
    for how, text in SKIPS.items():
        (tmp_path / f"test_{how.replace(' ', '_')}.py").write_text(f"import pytest\n{text}\n")
    code, text = suite(tmp_path, "")
    assert code in (0, 5) and f"{len(SKIPS)} skipped" in text
    code, text = suite(tmp_path, "", "--continue-on-collection-errors", CI="1")
    assert code in (1, 2) and text.count("was skipped, and in CI nothing is") >= len(SKIPS)


def test_an_expected_failure_is_none(tmp_path):
    text = "@pytest.mark.xfail(strict=True)\ndef test_it(): assert 0"
    assert suite(tmp_path, text, CI="1")[0] == 0


SHARED = """
from pathlib import Path
@pytest.fixture(scope="module")
def made():
    with (Path(__file__).parent / "made").open("a") as file:
        file.write("x")
@pytest.mark.parametrize("case", range(8))
def test_it(case, made): pass
"""


def test_what_a_file_shares_is_made_once(tmp_path, pytestconfig):
    flags = [word for word in pytestconfig.getini("addopts") if "dist" in word or "scope" in word]
    assert flags == ["--dist=loadfile", "--no-loadscope-reorder"]
    assert suite(tmp_path, SHARED, "-n", "2", *flags)[0] == 0
    assert (tmp_path / "made").read_text() == "x"


RANDOM = """
from hypothesis import given, strategies
@given(strategies.integers())
def test_it(value):
    with open("drawn", "a") as file:
        print(value, file=file)
"""


def test_random_tests_draw_the_same_in_each_run_but_at_night(tmp_path):
    drawn = []
    for profile in ((), (), ("--hypothesis-profile", "nightly")):
        assert suite(tmp_path, RANDOM, *profile)[0] == 0
        drawn.append((tmp_path / "drawn").read_text())
        (tmp_path / "drawn").unlink()
    assert drawn[0] == drawn[1] != drawn[2]
