# SPDX-License-Identifier: BSD-3-Clause
"""Block memories of every width through place and route, and back from their bits."""

import re

import pytest

from bonn_hw.bitstream.open import seven_series, toolchain
from bonn_hw.bitstream.open.families import FLOWS
from bonn_hw.bitstream.open.fasm import Feature
from bonn_hw.bitstream.readback import equality, features, frames, proof
from bonn_hw.bitstream.readback.frames import ReadbackFault
from bonn_hw.bitstream.readback.wiring import Wiring
from bonn_hw.boards import board
from bonn_hw.errors import ToolMissing
from tests.support.environment import absent
from tests.support.memory_widths import verilog
from tests.support.planted_frames import changed

BOARD = board("arty-a7-35t")


@pytest.fixture
def database():
    try:
        return toolchain.find("xc7a50t", BOARD.part).database
    except ToolMissing as error:
        absent(f"open place and route ({error})")


@pytest.mark.large
def test_the_bits_are_the_memories_of_the_netlist(database, tmp_path):
    rtl = tmp_path / "rtl"
    rtl.mkdir()
    (rtl / "serial_system.v").write_text(verilog())
    (rtl / "top.v").write_text("module top; endmodule\n")
    (rtl / "none.sv").write_text("module none; endmodule\n")
    flow = FLOWS[BOARD.family]
    planned = flow.plan(tmp_path, BOARD, 100.0, "accelerator")
    made = flow.make_bitstream(planned, BOARD, tmp_path)
    pins = seven_series.pins_of(BOARD)
    asked, pads = proof.asked_on(database, made.folder / seven_series.PLACED, pins)
    bits = made.folder / "accelerator.bit"
    netlist = proof.as_placed(bits, database, asked, pads)
    assert len(netlist.memories) == 2 * 13 + 11

    # Without its feature, a port of width 1 or 9 reads or writes the lower half alone.
    read = frames.read(bits.read_bytes(), database.part_file.with_name("part.json"))
    odd = [
        Feature(tile, name)
        for tile, one in features.decode(read, database).items()
        for name in sorted(one.names)
        if "BRAM36_" in name
    ]
    assert {one.name for one in odd} == {
        f"RAMB36.BRAM36_{way}_WIDTH_{port}_1" for way in ("READ", "WRITE") for port in "AB"
    }
    wiring = Wiring(database)
    for one in odd:
        try:
            bad = proof.netlist_of(changed(read, database, off=[one]), wiring, pads)
            told = equality.difference(bad, asked)
        except ReadbackFault as fault:
            told = str(fault)
        assert told is not None, one
        assert re.search("^nothing does what system.m|has no bit of the memory's contents$", told)
