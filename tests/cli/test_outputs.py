# SPDX-License-Identifier: BSD-3-Clause
"""Outputs are checked before the work: here, before it is seen that the inputs are missing."""

import os

import numpy as np
import pytest

from bonn_hw.cli.main import main
from bonn_hw.cli.outputs import check_writable
from bonn_hw.errors import UserError

REST = "what was there before is unchanged: make room or choose another place, and run the command"
COMMANDS = [
    ("train none.toml", "--out"),
    ("prune none", "--out"),
    ("plot none", "--out"),
    ("export none", "--out"),
    ("release none", "--out"),
    ("check none.onnx", "--json"),
    ("fold none.onnx --fps 1", "--out"),
    ("fold none.onnx --fps 1 --out new", "--json"),
    ("compile none.onnx --fps 1", "--out"),
    ("compile none.onnx --fps 1 --out new", "--json"),
    ("sweep none.toml", "--out"),
    ("sweep none.toml --out new", "--json"),
    ("explore none.toml", "--out"),
    ("explore none.toml --dry-run", "--json"),
    ("simulate none --inputs none.npy", "--json"),
    ("simulate none --inputs none.npy", "--outputs"),
    ("simulate none --inputs none.npy", "--trace"),
    ("witness none.onnx", "--json"),
    ("report none", "--json"),
    ("zoo list", "--json"),
    ("doctor", "--json"),
    ("zoo get digits", "--out"),
]


@pytest.mark.parametrize(("words", "flag"), COMMANDS, ids=lambda words: words)
def test_every_output_is_checked_first(words, flag, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("precious")
    assert main([*words.split(), flag, "file/below.vcd"]) == 2
    expected = f"bonn-hw: cannot write file/below.vcd: Not a directory; {REST} again\n"
    assert capsys.readouterr().err == expected
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("words", ["synth", "bitstream", "export-finn"])
def test_a_build_that_is_completed_is_checked(words, odd_build, monkeypatch, capsys):
    def refuse(**options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    assert main([words, str(odd_build)]) == 2
    assert ": Permission denied; what was there" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("target", "kind", "text"),
    [
        ("folder", "file", "folder is a folder: it is left as it is; name a file"),
        ("pipe", "file", "pipe is not a regular file: it is left as it is; name a file"),
        ("file", "folder", f"cannot write file: Not a directory; {REST} again"),
        ("file", "build", f"cannot write file: Not a directory; {REST} again"),
        (
            "folder",
            "build",
            "folder exists and is not a build (it has no report.json): it is left as it is; choose "
            "another --out",
        ),
        ("x" * 300, "file", f"cannot write {'x' * 300}: File name too long; {REST} again"),
        ("/proc/x/s.json", "file", f"cannot write /proc/x/s.json: No such file or directory; {REST}"
         " again"),
    ],
)  # fmt: skip
def test_what_cannot_be_written(target, kind, text, tmp_path, monkeypatch):
    from pathlib import Path

    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError) as error:
        check_writable(Path(target), kind)
    assert str(error.value) == text


def test_what_can_be_written(tmp_path):
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "report.json").touch()
    before = sorted(tmp_path.rglob("*"))
    check_writable(None)
    check_writable(tmp_path / "a" / "b" / "c.json")
    check_writable(tmp_path / "build" / "report.json")
    check_writable(tmp_path / "new" / "x", "build")
    check_writable(tmp_path / "build", "build")
    check_writable(tmp_path, "folder")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.rtl
def test_a_build_that_cannot_be_written_is_simulated(odd_build, tmp_path, monkeypatch, capsys):
    """Its report stays as it is, and is given with --json."""
    import json

    np.save(tmp_path / "x.npy", np.ones((2, 6), np.float32))
    before = (odd_build / "report.json").read_bytes()
    monkeypatch.setattr("bonn_hw.cli.simulate.is_writable", lambda folder: False)
    words = ["simulate", str(odd_build), "--inputs", str(tmp_path / "x.npy"), "--json", "-"]
    assert main([*words, "--outputs", str(tmp_path / "y.npy")]) == 0
    printed, noted = capsys.readouterr()
    assert json.loads(printed)["mismatches"] == 0
    assert noted == f"{odd_build} cannot be written: its report is not changed\n"
    assert np.load(tmp_path / "y.npy").shape == (2, 3)
    assert (odd_build / "report.json").read_bytes() == before
