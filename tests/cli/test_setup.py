# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw setup``: the right script runs, with the right folder; the scripts are not run here."""

import re
import sys
from pathlib import Path

import pytest

from bonn_hw import cache, files
from bonn_hw.cli.main import main
from bonn_hw.interop import finn_environment

ROOT = Path(__file__).parents[2]


@pytest.fixture
def scripts(tmp_path, monkeypatch):
    """Scripts that print their arguments, and fail if their folder is called bad."""
    text = '#!/bin/sh\necho "$0 $1 $PYTHON"\necho second >&2\ncase $1 in *bad) exit 4;; esac\n'
    for kind, name in (("open", "toolchain.sh"), ("finn", "environment.sh")):
        (tmp_path / "shipped" / kind).mkdir(parents=True)
        (tmp_path / "shipped" / kind / name).write_text(text)  # not executable, as in some wheels
    monkeypatch.setattr(files, "shipped", lambda *parts: tmp_path / "shipped" / parts[-1])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("PYTHON", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "shipped"


def test_by_default_things_go_where_they_are_found(scripts, capsys):
    assert main(["setup", "open-toolchain"]) == 0
    place = cache.folder() / "open-toolchain"
    told = f"{scripts}/open/toolchain.sh {place} {sys.executable}\nsecond\n"
    assert capsys.readouterr().err == told
    assert main(["setup", "finn"]) == 0
    told = f"{scripts}/finn/environment.sh {finn_environment.folder()} {sys.executable}\nsecond\n"
    assert capsys.readouterr().err == told


def test_another_folder_is_named_in_what_to_export(scripts, tmp_path, capsys):
    assert main(["setup", "finn", "--out", "mine"]) == 0
    assert capsys.readouterr().err.splitlines()[-1] == f"export BONN_HW_FINN={tmp_path}/mine"
    assert main(["setup", "open-toolchain", "--out", "mine"]) == 0
    assert capsys.readouterr().err.splitlines()[-1] == f"export PATH={tmp_path}/mine/bin:$PATH"


def test_a_script_that_fails(scripts, capsys):
    assert main(["setup", "open-toolchain", "--out", "bad", "--quiet"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("bonn-hw: setup: toolchain.sh: bash failed (exit code 4):\n")
    assert told.endswith("second\n")


def test_folders_of_others_are_not_replaced(scripts, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    assert main(["setup", "finn", "--out", "mine"]) == 2
    assert capsys.readouterr().err == (
        "bonn-hw: mine exists and was not made by bonn-hw setup (it has no pyvenv.cfg): it is left "
        "as it is; choose another --out\n"
    )
    (tmp_path / "mine" / "pyvenv.cfg").touch()
    assert main(["setup", "finn", "--out", "mine"]) == 0


def test_data_sets_are_fetched_by_name(monkeypatch, capsys):
    fetched = []
    monkeypatch.setattr(
        "bonn_hw.nn.data.fetch.fetch", lambda name, say, archive: fetched.append((name, archive))
    )
    assert main(["setup", "data"]) == 0
    assert main(["setup", "data", "cifar10", "--from", "a.tar.gz"]) == 0
    assert main(["setup", "data", "cifar10", "cifar100"]) == 0
    assert fetched == [
        ("fashion-mnist", None),
        ("cifar10", Path("a.tar.gz")),
        ("cifar10", None),
        ("cifar100", None),
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["data", "--out", "x"], "setup: data goes into the cache folder: leave --out out; "),
        (["finn", "cifar10"], "setup: NAME goes with data: leave it out for finn"),
        (["open-toolchain", "--from", "x"], "setup: --from goes with data: leave it out for open-"),
        (["data", "a", "b", "--from", "x"], "setup: --from is the archive of one data set: name"),
        (["data", "cifar"], "data set 'cifar' cannot be fetched; choose one of fashion-mnist, "),
    ],
)
def test_what_does_not_go_together(words, told, capsys):
    assert main(["setup", *words]) == 2
    assert capsys.readouterr().err.startswith(f"bonn-hw: {told}")


def test_make_calls_the_same():
    makefile = (ROOT / "Makefile").read_text()
    called = re.findall(r"bonn-hw setup ([\w-]+)", makefile)
    assert called == ["data", "open-toolchain", "finn"]
    finn = {f"flows/scripts/finn/{name}" for name in ("environment.sh", "requirements.txt")}
    own = {*finn, "flows/scripts/python/install.sh"}  # what environments follow from
    assert set(re.findall(r"\S*scripts/\S*", makefile)) == own
