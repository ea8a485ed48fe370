# SPDX-License-Identifier: BSD-3-Clause
"""Boards: the files of the package, what is refused, and a user's own board in every command."""

import json
import pickle
import re
import shutil
from dataclasses import FrozenInstanceError, replace

import pytest

from bonn_hw import boards
from bonn_hw.boards import BOARDS, PACKAGE, board
from bonn_hw.boards.read import FREQUENCIES, PINS, read
from bonn_hw.cli.main import main
from bonn_hw.errors import UserError
from bonn_hw.ir.resources import Resources
from tests.support.sketch import Sketch

ZYNQ = (PACKAGE / "pynq-z2.toml").read_text()
ECP5 = (PACKAGE / "ulx3s-85f.toml").read_text()


@pytest.mark.parametrize("file", sorted(PACKAGE.glob("*.toml")), ids=lambda file: file.stem)
def test_a_file_of_the_package(file):
    found = read(file)
    assert found == BOARDS[file.stem] == board(file.stem)
    assert all(amount > 0 for amount in found.holds.astuple())
    assert found.clock.allows(found.clock_mhz)
    settings = FREQUENCIES.get(found.family, ()) + PINS.get(found.family, ())
    assert tuple(key for key, _ in found.processing_system) == settings
    assert (found.shell == "serial") == (found.baud is not None)
    assert ("open" in found.tools) == (found.open_tools is not None)


def test_the_page_lists_all_boards():
    page = (PACKAGE.parents[1] / "docs" / "boards.md").read_text()
    table = page[page.index("| board |") : page.index("Every command")]
    assert set(re.findall(r"`([\w-]+)`", table)) == set(BOARDS)


def test_figures_of_two_boards():
    assert BOARDS["pynq-z2"].holds == Resources(lut=53200, ff=106400, bram36=140, dsp=220)
    assert BOARDS["pynq-z2"].notes(100) == []
    assert BOARDS["pynq-z2"].notes(400) == [
        "pynq-z2 has no clock of 400 MHz: it can give 10 to 250 MHz"
    ]
    ulx3s = BOARDS["ulx3s-85f"]
    assert (ulx3s.device_lut, ulx3s.holds.lut) == (83640, 24600)
    assert ulx3s.notes(50)[1] == "ulx3s-85f has no clock of 50 MHz: it can give 25 MHz"


def test_a_board_is_a_value():
    found = BOARDS["pynq-z2"]
    with pytest.raises(FrozenInstanceError):
        found.part = "xc7z010clg400-1"
    assert {found: 1}[read(found.file)] == 1
    assert pickle.loads(pickle.dumps(found)) == found


# What stands in the file, what is put in its place, what is said behind "board file FILE: ".
ZYNQ_FAULTS = {
    "unknown key": (
        "lut = 53_200\n",
        "lut = 53_200\nlatches = 3\n",
        "[resources] has a key 'latches' that is not known; there are bram36, dsp, ff, lut, "
        "lut_inputs, source: correct or remove it",
    ),
    "misspelt key": (
        'device = "xc7z020"',
        'device = "xc7z020"\ndevices = "xc7z020"',
        "[open] has a key 'devices' that is not known (did you mean 'device'?); there are device: "
        "correct or remove it",
    ),
    "unknown table": (
        "[clock]",
        "[serial]\nbaud = 9600\n[clock]",
        "the file has a key 'serial' that is not known; there are clock, family, open, part, "
        "processing_system, resources, shell, tools: correct or remove it",
    ),
    "missing key": (
        "bram36 = 140\n",
        "",
        "resources.bram36 is missing: add it; it must be a whole number above 0",
    ),
    "missing table": (
        '[open]\ndevice = "xc7z020"\n',
        "",
        "the tool 'open' needs a table [open]: add it",
    ),
    "text for a number": (
        "lut = 53_200",
        'lut = "53200"',
        "resources.lut must be a whole number above 0, not '53200'",
    ),
    "true for a number": (
        "dsp = 220",
        "dsp = true",
        "resources.dsp must be a whole number above 0, not True",
    ),
    "no resources": (
        "ff = 106_400",
        "ff = 0",
        "resources.ff must be a whole number above 0, not 0",
    ),
    "inputs of LUT": (
        "lut_inputs = 6",
        "lut_inputs = 5",
        "resources.lut_inputs must be 4 or 6, not 5",
    ),
    "number for a text": (
        '"xc7z020clg400-1"',
        "7020",
        "part must be a device of the family zynq-7000, not 7020",
    ),
    "part of another family": (
        '"xc7z020clg400-1"',
        '"xczu3eg-sbva484-1-i"',
        "part must be a device of the family zynq-7000, not 'xczu3eg-sbva484-1-i'",
    ),
    "family": (
        '"zynq-7000"',
        '"zynq7000"',
        "family must be one of zynq-7000, zynq-ultrascale-plus, artix-7, virtex-ultrascale-plus, "
        "ecp5, ice40, gowin, not 'zynq7000' (did you mean 'zynq-7000'?)",
    ),
    "shell": ('shell = "axi"', 'shell = "serial"', "shell must be one of axi, not 'serial'"),
    "tools": (
        '["vivado", "open"]',
        '["quartus"]',
        "tools must be a list of vivado and open, the usual one first, not ['quartus']",
    ),
    "tool without a flow": (
        'family = "zynq-7000"',
        'family = "zynq-ultrascale-plus"',
        "tools has 'open', which has no flow for zynq-ultrascale-plus: remove it",
    ),
    "clock": (
        "default_mhz = 100",
        "default_mhz = 300",
        "clock.default_mhz must lie from lowest_mhz (10) to highest_mhz (250), not 300",
    ),
    "pins": (
        '"16..27"',
        '"MIO 16 .. 27"',
        "processing_system.ethernet_mio must be pins such as \"16..27\", not 'MIO 16 .. 27'",
    ),
    "source": (
        'source = "DS190, table 1: Z-7020"',
        "",
        "resources.source is missing: add it; it must be the data sheet that these are from",
    ),
}
ECP5_FAULTS = {
    "baud": (
        "baud = 1_000_000",
        "baud = 115_200",
        "serial.baud must divide the clock of 25 MHz by a whole number of at least 4, not 115200",
    ),
    "oscillator": (
        "highest_mhz = 25",
        "highest_mhz = 50",
        "clock.from is 'oscillator': lowest_mhz and highest_mhz must be equal",
    ),
    "measured factor": (
        "lut_for_each_predicted = 3.4",
        "",
        "resources.lut_for_each_predicted is missing: add it; it must be a number above 0",
    ),
    "absent file": (
        '"ulx3s.lpf"',
        '"mine.lpf"',
        "open.pins is 'mine.lpf': there is no such file in {folder}",
    ),
    "vivado": (
        '["open"]',
        '["vivado"]',
        "tools has 'vivado', which has no flow for ecp5: remove it",
    ),
}
FAULTS = [(kind, ZYNQ, fault) for kind, fault in ZYNQ_FAULTS.items()]
FAULTS += [(kind, ECP5, fault) for kind, fault in ECP5_FAULTS.items()]


@pytest.mark.parametrize(("kind", "text", "fault"), FAULTS, ids=[kind for kind, _, _ in FAULTS])
def test_a_fault_of_a_file_is_named(tmp_path, kind, text, fault):
    old, new, message = fault
    if kind == "tool without a flow":
        old, new, text = "xc7z020clg400-1", "xczu3eg-sbva484-1-i", text.replace(old, new)
    assert text.count(old) == 1
    file = tmp_path / "mine.toml"
    file.write_text(text.replace(old, new))
    with pytest.raises(UserError) as error:
        read(file)
    assert str(error.value) == f"board file {file}: {message.format(folder=tmp_path)}"


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(UserError) as error:
        board(str(tmp_path / "none.toml"))
    assert str(error.value) == (
        f"board file {tmp_path}/none.toml cannot be read: No such file or directory"
    )
    (tmp_path / "mine.toml").write_text("part = \n")
    with pytest.raises(UserError, match=r"board file .*mine\.toml is not TOML: "):
        board(str(tmp_path / "mine.toml"))
    with pytest.raises(UserError) as error:
        board(str(tmp_path / "my board.toml"))
    assert str(error.value) == (
        f"board file {tmp_path}/my board.toml: its name is the board's: letters, digits, _ and - "
        "before .toml"
    )


def test_an_unknown_name():
    with pytest.raises(UserError) as error:
        board("pynq-z3")
    assert str(error.value) == (
        "board 'pynq-z3' is not known; choose one of alveo-u250, arty-a7-100t, arty-a7-35t, "
        "aup-zu3, icebreaker, kv260, nexys-a7-100t, pynq-z1, pynq-z2, rfsoc4x2, tang-nano-20k, "
        "ultra96-v2, ulx3s-85f, zcu104, zcu111, or give the path of a board's file, NAME.toml (did "
        "you mean 'pynq-z2'?)"
    )


# A user's own board.


@pytest.fixture
def model(tmp_path):
    sketch = Sketch(2, 4, 4).quant(6, scale=0.25).sign().conv(2, 2, pads=[1] * 4)
    return sketch.sign().flatten().few_bit_dense(32, 3).write(tmp_path)


@pytest.fixture
def zybo(tmp_path):
    """A smaller Zynq-7000 with another crystal: one file, and nothing else."""
    text = ZYNQ.replace("xc7z020clg400-1", "xc7z010clg400-1").replace("53_200", "17_600")
    text = text.replace("reference_mhz = 50", "reference_mhz = 33.333333")
    file = tmp_path / "own" / "zybo-z7-10.toml"
    file.parent.mkdir()
    file.write_text(text.replace('"xc7z020"', '"xc7z010"'))
    return file


def run(*words):
    return main([str(word) for word in words])


def test_a_users_board_is_checked_folded_compiled_and_planned(
    tmp_path, model, zybo, monkeypatch, capsys
):
    assert run("check", model, "--board", zybo, "--fps", 1000) == 0
    assert "of the LUT of zybo-z7-10 at most" in " ".join(capsys.readouterr().out.split())
    assert run("fold", model, "--board", zybo, "--pareto", "--out", tmp_path / "front") == 0
    build = tmp_path / "build"
    assert run("compile", model, "--board", zybo, "--fps", 1000, "--out", build) == 0
    facts = json.loads((build / "report.json").read_text())
    assert facts["target"]["board"] == "zybo-z7-10"
    assert facts["resources"]["lut"]["available"] == 17600
    assert facts["boards"].keys() == {*BOARDS, "zybo-z7-10"}
    shutil.rmtree(zybo.parent)  # the build keeps what it was made for
    monkeypatch.setenv("PATH", "/nonexistent")
    assert run("bitstream", build) == 3
    planned = json.loads((build / "system" / "vivado" / "plan.json").read_text())
    assert (planned["board"], planned["part"]) == ("zybo-z7-10", "xc7z010clg400-1")
    words = planned["command"]
    assert words[words.index("--part") + 1] == "xc7z010clg400-1"
    assert words[words.index("--reference-mhz") + 1] == "33.333333"
    assert run("bitstream", build, "--board", "kv260") == 3
    assert json.loads((build / "system/vivado/plan.json").read_text())["board"] == "kv260"


def test_a_users_board_with_a_serial_line(tmp_path, model, monkeypatch, capsys):
    own = tmp_path / "own"
    own.mkdir()
    text = ECP5.replace('"ulx3s"', '"orange"').replace("ulx3s.v", "orange.v")
    text = text.replace("ulx3s.lpf", "orange.lpf").replace("85k", "25k")
    (own / "orange.toml").write_text(text)
    flows = PACKAGE.parents[1] / "flows" / "scripts" / "open"
    (own / "orange.v").write_text((flows / "ulx3s.v").read_text().replace("ulx3s", "orange"))
    shutil.copyfile(flows / "ulx3s.lpf", own / "orange.lpf")
    build, words = tmp_path / "build", ["--board", own / "orange.toml", "--fps", 1000]
    assert run("compile", model, *words, "--out", build) == 0
    shutil.rmtree(own)
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(
        "bonn_hw.bitstream.open.serial_boards.sys.executable", "/nonexistent/python"
    )
    assert run("bitstream", build) == 3
    assert "the open flow for orange lacks nextpnr-ecp5" in capsys.readouterr().err
    planned = json.loads((build / "system" / "open" / "plan.json").read_text())
    assert planned["command"][:2] == ["nextpnr-ecp5", "--25k"]
    assert "synth_ecp5 -abc9 -nodsp -top orange" in planned["script"]
    assert {"open/orange.v", "open/orange.lpf"} < planned["sources"].keys()
    assert "DIVIDER(25)" in (build / "system" / "rtl" / "serial_system.v").read_text()


def test_a_sweep_over_a_users_board(tmp_path, model, zybo):
    file = tmp_path / "sweep.toml"
    keys = {"models": [model.name], "boards": ["own/zybo-z7-10.toml", "ulx3s-85f"], "fps": [1000]}
    file.write_text("\n".join(f"{key} = {json.dumps(value)}" for key, value in keys.items()))
    assert run("sweep", file, "--out", tmp_path / "sweep", "--jobs", 1) == 0
    rows = json.loads((tmp_path / "sweep" / "sweep.json").read_text())
    assert [(row["board"], row["clock_mhz"], row["fits"]) for row in rows] == [
        ("zybo-z7-10", 100, True),
        ("ulx3s-85f", 25, True),
    ]
    assert (tmp_path / "sweep" / f"{model.stem}-zybo-z7-10-100MHz-1000fps").is_dir()


def test_tools_and_clocks_that_a_board_does_not_have():
    for name, tool, message in (
        (
            "kv260",
            "open",
            "board 'kv260' has no open flow; choose one of arty-a7-100t, arty-a7-35t, "
            "icebreaker, nexys-a7-100t, pynq-z1, pynq-z2, "
            "tang-nano-20k, ulx3s-85f, or --tool vivado",
        ),
        (
            "ulx3s-85f",
            "vivado",
            "board 'ulx3s-85f' has no Vivado flow; choose one of aup-zu3, kv260, pynq-z1, pynq-z2, "
            "rfsoc4x2, ultra96-v2, zcu104, zcu111, or --tool open",
        ),
    ):
        with pytest.raises(UserError) as error:
            boards.check_tool(BOARDS[name], tool)
        assert str(error.value) == message
    with pytest.raises(UserError) as error:
        boards.check_clock(BOARDS["ulx3s-85f"], 50)
    assert str(error.value) == (
        "board 'ulx3s-85f' at 50 MHz: ulx3s-85f runs at 25 MHz, by its oscillator; leave "
        "--clock-mhz out"
    )
    boards.check_clock(BOARDS["pynq-z2"], 250)
    with pytest.raises(UserError) as error:
        boards.check_clock(BOARDS["pynq-z2"], 251)
    assert str(error.value) == "clock 251 MHz is not possible: choose one from 10 to 250 MHz"


def test_a_board_without_a_shell_has_rtl_and_no_bitstream(tmp_path, model, capsys):
    build = tmp_path / "build"
    assert run("compile", model, "--board", "alveo-u250", "--fps", 1000, "--out", build) == 0
    assert json.loads((build / "report.json").read_text())["boards"]["alveo-u250"]
    capsys.readouterr()
    for tool in ((), ("--tool", "vivado"), ("--board", "alveo-u250", "--tool", "open")):
        assert run("bitstream", build, *tool) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert "board 'alveo-u250' has no shell, and so no bitstream and no driver" in said
        assert "or choose --board arty-a7-100t, arty-a7-35t," in said
    assert not (build / "system").exists()
    assert BOARDS["alveo-u250"].dsp48
    file = tmp_path / "mine.toml"
    text = BOARDS["alveo-u250"].file.read_text()
    file.write_text(text.replace('shell = "none"', 'shell = "none"\ntools = ["vivado"]'))
    with pytest.raises(UserError, match="has a key 'tools' that is not known"):
        read(file)


def test_a_kept_board_is_the_builds(tmp_path):
    """Its name may be that of a board of the package: the build's own comes first."""
    (tmp_path / "own").mkdir()
    file = tmp_path / "own" / "pynq-z2.toml"
    file.write_text(ZYNQ.replace("53_200", "100"))
    boards.keep(board(str(file)), tmp_path)
    boards.keep(BOARDS["pynq-z1"], tmp_path)
    assert [path.name for path in (tmp_path / boards.COPIES).iterdir()] == ["pynq-z2.toml"]
    assert board("pynq-z2", tmp_path).holds.lut == 100
    assert board("pynq-z2") == replace(board("pynq-z2", tmp_path / "own"))
