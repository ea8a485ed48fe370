# SPDX-License-Identifier: BSD-3-Clause
import json

import pytest

from bonn_hw.cli.main import main
from bonn_hw.doctor import machine, packages, programs
from bonn_hw.doctor.examination import Examination
from bonn_hw.doctor.item import BASE, Item, State

GOOD = Item("numpy", State.OK, "2.4", BASE)
OPTIONAL = Item("torch", State.MISSING, "", "train", "pip install 'bonn-hw[train]'")
BROKEN = Item("Verilator", State.WRONG, "it does not run", BASE, "install another")


def test_only_the_base_decides():
    assert Examination((GOOD, OPTIONAL)).lacking == ()
    assert Examination((GOOD, OPTIONAL, BROKEN)).lacking == (BROKEN,)
    assert Examination((BROKEN,)).verdict == "the base does not work: Verilator"


@pytest.fixture
def found(monkeypatch):
    """What the parts of the examination find; each can be set, or raise."""
    parts = {"packages": [GOOD, OPTIONAL], "programs": [], "machine": [], "data": []}

    def give(name):
        def give(*arguments):
            if isinstance(parts[name], Exception):
                raise parts[name]
            return parts[name]

        return give

    monkeypatch.setattr(packages, "examine", give("packages"))
    monkeypatch.setattr(programs, "examine", give("programs"))
    monkeypatch.setattr(machine, "examine", give("machine"))
    monkeypatch.setattr(machine, "data_sets", give("data"))
    return parts


def test_the_command_prints_a_line_each(found, capsys):
    assert main(["doctor"]) == 0
    python, *lines = capsys.readouterr().out.splitlines()
    assert python.startswith("ok       Python ")
    assert lines == [str(GOOD), str(OPTIONAL), "the base works: check, fold, compile, simulate"]
    found["programs"] = [BROKEN]
    assert main(["doctor"]) == 2
    assert capsys.readouterr().out.splitlines()[-1] == "the base does not work: Verilator"


def test_the_command_as_json(found, capsys, tmp_path):
    found["programs"] = [BROKEN]
    assert main(["doctor", "--json", "-"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["works"]) == (1, False)
    assert document["items"][-1] == {
        "name": "Verilator",
        "state": "wrong",
        "found": "it does not run",
        "needed_for": "base",
        "base": True,
        "remedy": "install another",
    }
    assert main(["doctor", "--quiet", "--json", str(tmp_path / "d.json")]) == 2
    assert capsys.readouterr().out == ""
    assert json.loads((tmp_path / "d.json").read_text()) == document


def test_what_cannot_be_examined_is_a_line_too(found, capsys):
    found["programs"] = ModuleNotFoundError("No module named 'numpy'", name="numpy")
    found["data"] = ValueError("odd")
    assert main(["doctor"]) == 2
    *_, programs_line, data_line, last = capsys.readouterr().out.splitlines()
    assert "programs" in programs_line and "not examined without numpy; for base" in programs_line
    assert "ValueError: odd; for --dataset" in data_line
    assert last == "the base does not work: programs"


def test_nothing_of_the_base_is_imported_before_it_is_examined():
    """It has to answer where packages are missing."""
    import subprocess
    import sys

    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('numpy', 'onnx', 'qonnx', 'rich', 'onnxruntime'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from bonn_hw.cli.main import main\n"
        "sys.exit(main(['doctor']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "")
    assert "not examined without numpy" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("the base does not work: ")
