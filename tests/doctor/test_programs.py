# SPDX-License-Identifier: BSD-3-Clause
from pathlib import Path

import pytest

from bonn_hw import boards
from bonn_hw.bitstream.open import toolchain
from bonn_hw.doctor import programs
from bonn_hw.doctor.item import State
from bonn_hw.interop import finn_environment


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A machine with nothing on PATH and an empty cache."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for name in ("CXX", "BONN_HW_VERILATOR", "BONN_HW_FINN", "PRJXRAY_DB_DIR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_nothing_is_there(bare, monkeypatch):
    monkeypatch.setattr("bonn_hw.sim.locate.find_spec", lambda name: None)
    monkeypatch.setattr("bonn_hw.bitstream.open.serial_boards.program", lambda name: None)
    monkeypatch.setenv("BONN_HW_FINN", str(bare / "none"))
    found = {one.name: one for one in programs.examine()}
    assert [one.name for one in found.values() if one.base] == ["Verilator", "C++ compiler"]
    assert found["Verilator"].remedy.startswith("install it into this environment with 'pip ")
    assert found["C++ compiler"].remedy == "apt install g++, or set CXX"
    assert found["nextpnr-ecp5"].remedy == "pip install 'bonn-hw[ecp5]'"
    assert found["icepack"].remedy == "pip install 'bonn-hw[ice40]'"
    assert found["gowin_pack"].remedy == "pip install 'bonn-hw[gowin]'"
    assert found["FINN environment"].remedy == "bonn-hw setup finn"
    tools = found["open Xilinx tools"]
    if tools.state is State.MISSING:  # a machine may have them in /usr
        assert tools.remedy.startswith("run 'bonn-hw setup open-toolchain'")
    del found["open Xilinx tools"]
    assert {one.state for one in found.values()} == {State.MISSING}


def test_a_verilator_that_is_wrong(bare, monkeypatch):
    monkeypatch.setenv("BONN_HW_VERILATOR", "/nowhere/verilator")
    found = programs.verilator()
    assert found.state is State.WRONG
    assert found.found == "BONN_HW_VERILATOR=/nowhere/verilator is not a program"
    assert found.remedy == "name a verilator, or unset it"


def test_a_compiler_s_first_line_is_shown(bare, monkeypatch):
    script(bare / "g++", "echo 'g++ 99.1'; echo more")
    assert programs.compiler().found == f"g++ 99.1, {bare}/g++"
    monkeypatch.setenv("CXX", str(script(bare / "broken", "echo no; exit 3")))
    broken = programs.compiler()
    assert (broken.state, broken.found) == (State.WRONG, f"{bare}/broken: no")


def test_what_is_in_the_cache_is_found(bare, monkeypatch):
    monkeypatch.setattr(finn_environment, "shipped", lambda *names: bare.joinpath("a", *names))
    finn = bare / "cache" / "bonn_hw" / "finn"
    finn.mkdir(parents=True)
    (finn / "ready").touch()
    assert programs.finn().found == str(finn / "bin" / "python")
    script(bare / "vivado", "exit 9")  # it is not started
    assert programs.vivado().found == str(bare / "vivado")


def test_the_board_of_the_open_tools_has_some():
    assert boards.board(programs.OPEN_BOARD).open_tools is not None


def test_the_open_tools_of_another_folder(bare, monkeypatch):
    """As `bonn-hw setup open-toolchain --out mine` leaves them, with mine/bin on PATH."""
    mine = bare / "mine"
    share = mine / "usr" / "share"
    (mine / "bin").mkdir(parents=True)
    chip = share / "nextpnr" / "himbaechel" / "xilinx" / "chipdb-xc7z020.bin"
    tiles = share / "prjxray" / "database" / "zynq7" / "xc7z020" / "tilegrid.json"
    for file in (chip, tiles):
        file.parent.mkdir(parents=True)
        file.write_text("{}")
    for name in (toolchain.ROUTER, toolchain.PACKER, toolchain.READER):
        script(mine / "bin" / name, "echo 'Version nextpnr-0.11'")
    monkeypatch.setenv("PATH", f"{mine}/bin:/usr/bin:/bin")
    found = toolchain.find("xc7z020", "xc7z020clg400-1")
    assert found.chip in (chip, Path("/usr/share", *chip.parts[-4:]))
    router = mine / "bin" / toolchain.ROUTER
    assert programs.open_toolchain().found == f"nextpnr 0.11, {router}"
