# SPDX-License-Identifier: BSD-3-Clause
"""What is printed, and where: nothing that users or files say is markup."""

import io
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import bonn_hw
from bonn_hw.cli.main import main
from bonn_hw.cli.terminal import Terminal
from tests.cli.conftest import ODD, odd_model


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")


def test_odd_names_print_as_they_are(odd_build, tmp_path, capsys):
    model = odd_model(tmp_path)
    assert main(["check", str(model)]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in ODD)
    assert main(["report", str(odd_build)]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in ODD)
    finn = tmp_path / "f[1]" / "x[/y]"
    assert main(["export-finn", str(odd_build), "--out", str(finn)]) in (0, 2)
    assert str(finn) in capsys.readouterr().err or not finn.exists()


def test_odd_names_in_errors(tmp_path, capsys):
    missing = tmp_path / "[red]x[/red] :smile:[/y].onnx"
    assert main(["check", str(missing)]) == 2
    assert str(missing) in capsys.readouterr().err


class Screen(io.StringIO):
    def isatty(self):
        return True


def test_progress_prints_names_as_they_are(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    text = "[red]x[/red] :smile: layers[/x]"
    with Terminal().progress("fold[/z]") as progress:
        progress(text)
        deadline = time.monotonic() + 10
        while text not in screen.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)  # it is drawn 12 times a second
    assert f"fold[/z]: {text}" in screen.getvalue()


def test_quiet_shows_no_progress(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Screen())
    with Terminal(quiet=True).progress("fold") as progress:
        progress("x")
    assert sys.stderr.getvalue() == ""


def test_one_place_makes_consoles():
    """Others would read markup in names again."""
    makers = {
        path.name
        for path in Path(bonn_hw.__file__).parent.rglob("*.py")
        if re.search(r"\bConsole\(|\(Console\)|rich import print", path.read_text())
    }
    assert makers == {"console.py"}


def test_quiet_and_json(odd_build, tmp_path, capsys):
    model, out = odd_model(tmp_path), tmp_path / "out"
    words = ["compile", str(model), "--fps", "1000", "--out", str(out)]
    assert main([*words, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["--quiet", *words]) == 0
    assert capsys.readouterr() == ("", "")
    written = json.loads((out / "report.json").read_text())

    assert main([*words, "--json", "-"]) == 0
    printed, noted = capsys.readouterr()
    assert json.loads(printed) == written and noted == ""
    file = tmp_path / "r[1].json"
    assert main([*words, "--json", str(file), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "") and json.loads(file.read_text()) == written
    assert main([*words, "--json", str(file)]) == 0
    assert "LUT" in capsys.readouterr().out

    for more in ([], ["--pareto"]):
        folder = tmp_path / f"fold{len(more)}"
        rate = [] if more else ["--fps", "1000"]
        words = ["fold", str(model), *rate, *more, "--out", str(folder), "--json", "-", "--quiet"]
        assert main(words) == 0
        printed, noted = capsys.readouterr()
        assert json.loads(printed) == json.loads((folder / "report.json").read_text())
        assert noted == ""


def test_check_as_json(tmp_path, capsys):
    assert main(["check", str(odd_model(tmp_path)), "--json", "-"]) == 0
    printed = json.loads(capsys.readouterr().out)
    layers = [kernel["layer"] for kernel in printed["kernels"]]
    assert [name for name in ODD if name in layers] == list(ODD)
    assert printed["findings"] == []
    assert set(printed["kernels"][0]) == {"name", "layer", "takes", "gives"}


def test_sweep_as_json(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("bonn_hw.console.EVERY", 0.001)  # progress without a terminal
    odd_model(tmp_path, "m[red].onnx")
    sweep = tmp_path / "s.toml"
    sweep.write_text('models = ["m[red].onnx"]\nboards = ["pynq-z2"]\nfps = [1000, 1e9]\n')
    words = ["sweep", str(sweep), "--out", str(tmp_path / "out"), "--jobs", "1"]
    assert main([*words, "--json", "-", "--quiet"]) == 1  # one rate is out of reach
    printed, noted = capsys.readouterr()
    assert json.loads(printed) == json.loads((tmp_path / "out" / "sweep.json").read_text())
    assert noted == ""
    words[3] = str(tmp_path / "anew")  # designs that are kept are over before a line is written
    assert main(words) == 1
    printed, noted = capsys.readouterr()
    assert "m[red]" in printed and "m[red]-pynq-z2" in noted


@pytest.mark.parametrize("order", [["--json"], ["--json", "-"]])
def test_report_as_json(order, odd_build, capsys):
    stored = (odd_build / "report.json").read_text()
    assert main(["report", str(odd_build), *order]) == 0
    assert capsys.readouterr() == (stored, "")


def test_report_as_json_before_the_build(odd_build, capsys):
    assert main(["report", "--json", str(odd_build)]) == 0
    assert capsys.readouterr() == ((odd_build / "report.json").read_text(), "")
    assert main(["report"]) == 2
    assert capsys.readouterr().err == "bonn-hw: report: name the build: bonn-hw report BUILD\n"


def shell(script, **environment):
    command = f"{sys.executable} -m bonn_hw.cli"
    script = script.replace("bonn-hw", command)
    return subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env=os.environ | environment
    )


@pytest.mark.parametrize("flags", ["", "--json"])
def test_a_reader_that_goes_away_ends_it_quietly(flags, odd_build):
    done = shell(
        f"bonn-hw report {str(odd_build)!r} {flags} | {sys.executable} -c pass; "
        'echo "${PIPESTATUS[0]}"'
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_help_into_a_closed_pipe():
    done = shell(f'bonn-hw --help | {sys.executable} -c pass; echo "${{PIPESTATUS[0]}}"')
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_a_full_stdout(odd_build):
    done = shell(f"bonn-hw report {str(odd_build)!r} > /dev/full")
    assert done.returncode == 2
    assert done.stderr == (
        "bonn-hw: report: the output: No space left on device: fix this and run it again\n"
    )


def test_a_terminal_of_ascii(odd_build):
    done = shell(f"bonn-hw report {str(odd_build)!r}", PYTHONIOENCODING="ascii")
    assert done.returncode == 0 and done.stderr == "" and "latency" in done.stdout
