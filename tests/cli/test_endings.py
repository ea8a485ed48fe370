# SPDX-License-Identifier: BSD-3-Clause
"""Which exit code and which words an error ends with."""

import errno
import re
from pathlib import Path

import pytest

from bonn_hw import errors
from bonn_hw.cli.main import main
from bonn_hw.tools import Terminated


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("BONN_HW_DEBUG", raising=False)
    return tmp_path / "cache" / "bonn_hw"


def told(capsys):
    out, err = capsys.readouterr()
    assert out == ""
    return err


def caused(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (errors.UserError("x is 3: must be 2: take 2"), 2, "x is 3: must be 2: take 2"),
        (errors.ToolMissing("no g++"), 2, "no g++"),
        (KeyboardInterrupt(), 130, "interrupted; a rerun starts clean"),
        (Terminated(), 143, "ended by SIGTERM; a rerun starts clean"),
        (caused(errors.Interrupted("go on"), SystemExit(1)), 130, "go on"),
        (caused(errors.Interrupted("go on"), Terminated()), 143, "go on"),
        (MemoryError(), 2, "report: the memory is full: try fewer --jobs or a smaller --count"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/a/b"),
            2,
            "report: /a/b: No space left on device: fix this and run it again",
        ),
        (
            ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn"),
            2,
            "report needs the package 'torch', which is not installed: "
            "pip install 'bonn-hw[train]'",
        ),
    ],
)
def test_what_is_no_bug_of_ours(error, code, text, planted, capsys, cache):
    planted(error)
    assert main(["report", "x"]) == code
    assert told(capsys) == f"bonn-hw: {text}\n"
    assert not cache.exists()


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("the cat[/x] ate\nit"),
        errors.InternalError("the cat[/x] ate it"),
        errors.Hang("the cat[/x] ate it"),
        FileNotFoundError("the cat[/x] ate it"),
        ModuleNotFoundError("the cat[/x] ate it", name="bonn_hw.nothing"),
        SystemExit("the cat[/x] ate it"),
        BrokenPipeError(errno.EPIPE, "the cat[/x] ate it"),
        AssertionError("the cat[/x] ate it"),
    ],
)
def test_bugs_of_ours_leave_a_log(error, planted, capsys, cache):
    planted(error)
    assert main(["report", "b u g"]) == 70
    text = told(capsys)
    found = re.fullmatch(
        r"bonn-hw: this is a bug in bonn-hw, not your mistake \((.*)\): please send us "
        r"(/.*\.log), with the model or the build if you can\n",
        text,
    )
    assert found is not None
    assert found[1].startswith(type(error).__name__) and "the cat[/x] ate it" in found[1]
    log = Path(found[2])
    assert log.parent == cache / "logs"
    kept = log.read_text()
    assert kept.startswith("command: bonn-hw report 'b u g'\n")
    assert "numpy " in kept and "Traceback (most recent call last)" in kept
    assert "in plant" not in kept and "conftest.py" in kept and type(error).__name__ in kept


def test_the_log_goes_elsewhere_where_there_is_no_cache(planted, capsys, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "other"))
    planted(RuntimeError("odd"))
    assert main(["report", "x"]) == 70
    assert [path.suffix for path in (tmp_path / "other").iterdir()] == [".log"]
    assert str(tmp_path / "other") in told(capsys)


@pytest.mark.parametrize("way", ["flag before", "flag behind", "variable"])
def test_debug_shows_the_traceback(way, planted, capsys, cache, monkeypatch):
    planted(RuntimeError("odd"))
    words = {"flag before": ["--debug", "report", "x"], "flag behind": ["report", "x", "--debug"]}
    if way == "variable":
        monkeypatch.setenv("BONN_HW_DEBUG", "1")
    assert main(words.get(way, ["report", "x"])) == 70
    text = told(capsys)
    assert text.startswith("Traceback") and "conftest.py" in text
    assert not cache.exists()


def test_a_long_message_is_cut(planted, capsys):
    planted(RuntimeError("x" * 10_000))
    assert main(["report", "x"]) == 70
    assert len(told(capsys)) < 1000
