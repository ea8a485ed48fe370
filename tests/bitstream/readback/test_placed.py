# SPDX-License-Identifier: BSD-3-Clause
"""Yosys' cells of a Zynq-7000 as tables, registers and memories."""

import gzip
import json

import pytest

from bonn_hw.bitstream.readback import placed
from bonn_hw.bitstream.readback.frames import ReadbackFault
from bonn_hw.bitstream.readback.netlist import PARITY, Register, Table

PS7 = {"MAXIGP0ARVALID": "output", "MAXIGP0RVALID": "input", "MAXIGP0WDATA": "output"}
PS7 |= {"MAXIGP0ACLK": "input", "FCLKCLK": "output"}  # clocks are not compared


def cell(kind, parameters=None, directions=None, **connections):
    pins = {pin: bits if isinstance(bits, list) else [bits] for pin, bits in connections.items()}
    return {
        "type": kind,
        "parameters": parameters or {},
        "port_directions": directions or {},
        "connections": pins,
    }


def read(tmp_path, asked, **cells):
    """A netlist with the pin RVALID driven by ``asked``; nets 2 to 9 are pins."""
    pins = {"MAXIGP0ARVALID": 2, "MAXIGP0WDATA": list(range(3, 10)), "MAXIGP0RVALID": asked}
    pins |= {"MAXIGP0ACLK": 100, "FCLKCLK": [101, 102]}
    system = {"ps7": cell("PS7", directions=PS7, **pins)}
    named = {"bits": [asked], "hide_name": 0}
    rest = {"bits": list(range(2, 200)), "hide_name": 1}
    netnames = {"asked": named, "rest": rest}
    module = {"attributes": {"top": "1"}, "cells": {**system, **cells}, "netnames": netnames}
    library = {"attributes": {}, "cells": dict.fromkeys(range(100))}
    file = tmp_path / "netlist.json.gz"
    file.write_bytes(
        gzip.compress(json.dumps({"modules": {"library": library, "zynq": module}}).encode())
    )
    return placed.read(file)


def test_tables_and_registers(tmp_path):
    found = read(
        tmp_path,
        20,
        lut=cell("LUT3", {"INIT": "11100100"}, I0=2, I1=3, I2="1", O=21),
        inv=cell("INV", I=4, O=22),
        mux=cell("MUXF7", I0=21, I1=22, S=5, O=23),
        flop=cell("FDSE", {"INIT": "x"}, C=100, D=23, CE=6, S=7, Q=20),
        clock=cell("BUFG", I=101, O=100),
    )
    netlist = found.netlist
    # With I2 = 1 the upper half of the table is left: 1110, which is OR.
    assert set(netlist.tables) == {
        Table(21, (2, 3), 0b1110),
        Table(22, (4,), 0b01),
        Table(23, (21, 22, 5), 0b11001010),
    }
    assert netlist.registers == (Register(20, 23, 6, 7, 1, 0),)
    assert netlist.inputs == {
        "MAXIGP0ARVALID": 2,
        **{f"MAXIGP0WDATA{bit}": 3 + bit for bit in range(7)},
        **{"FCLKCLK0": 101, "FCLKCLK1": 102},
    }
    assert netlist.outputs == {"MAXIGP0RVALID": 20}
    assert found.names[20] == "asked" and 2 not in found.names


def test_a_carry_chain(tmp_path):
    chain = cell(
        "CARRY4",
        CI="0",
        CYINIT=2,
        DI=[3, 4, 5, 6],
        S=[7, 8, 9, 3],
        O=[20, 21, 22, 23],
        CO=[24, 25, 26, 27],
    )
    tables = read(tmp_path, 22, chain=chain).netlist.tables
    assert tables == (
        Table(24, (3, 2, 7), 0b11001010),
        Table(25, (4, 24, 8), 0b11001010),
        Table(22, (9, 25), 0b0110),
    )


def memory(kind, width, bits, **parameters):
    address = [*[f"{one % 2}" for one in range(16)]][:bits]
    address[3:6] = [3, 4, 5]
    data = 32 if kind == "RAMB36E1" else 16
    outs = {"DOADO": list(range(20, 20 + data)), "DOBDO": list(range(60, 60 + data))}
    outs |= {"DOPADOP": [120, 121, 122, 123], "DOPBDOP": [130, 131, 132, 133]}
    ins = {"DIADI": ["0"] * data, "DIBDI": ["0"] * data, "DIPADIP": ["0"] * 4, "DIPBDIP": ["0"] * 4}
    values = {"READ_WIDTH_A": f"{width:b}", "WRITE_WIDTH_A": "0", "READ_WIDTH_B": "0"}
    return cell(
        kind,
        {**values, "WRITE_WIDTH_B": "0", **parameters},
        **{"ADDRARDADDR": address, "ADDRBWRADDR": ["0"] * bits},
        **{"ENARDEN": 2, "ENBWREN": "0", "RSTRAMARSTRAM": "0", "RSTRAMB": "0"},
        **{"WEA": ["0"] * 4, "WEBWE": ["0"] * 8, **ins, **outs},
    )


def test_a_memory_of_18_kbit(tmp_path):
    one = memory("RAMB18E1", 18, 14, INIT_01="101", INITP_02="11")
    (found,) = read(tmp_path, 21, words=one).netlist.memories
    assert found.contents == 5 << 256 | 3 << PARITY + 512
    nets = (*range(20, 36), 120, 121)
    (port,) = found.reads
    assert (port.width, port.enable, port.data, len(port.address)) == (16, 2, nets, 10)
    assert port.address[:2] == (4, 5)  # the row: bits 4 to 13 of the address


def test_the_halves_of_a_memory_of_36_kbit(tmp_path):
    """Even bits are in the first half, odd ones in the second, and so are their pins."""
    one = memory("RAMB36E1", 18, 16, INIT_00="110110", INIT_40="1", INITP_00="11", SRVAL_A="10")
    low, high = read(tmp_path, 21, words=one).netlist.memories
    assert low.contents == 0b110 | 1 << 64 * 128 | 1 << PARITY
    assert high.contents == 0b101 | 1 << PARITY
    assert high.reads[0].data == (21, 23, 25, 27, 29, 31, 33, 35, 121)
    assert (high.reads[0].width, high.reads[0].address[:3]) == (8, (4, 5, 0))
    assert (high.reads[0].reset_value, high.reads[0].start) == (1, 0)
    assert low.reads == ()  # nothing asks for its bits


def test_the_ninth_bit_of_a_row(tmp_path):
    """That of an even row is in the first half, and one pin shows it."""
    netlist = read(tmp_path, 120, words=memory("RAMB36E1", 9, 16)).netlist
    (mux,) = netlist.tables
    (which,) = netlist.registers
    assert (which.data, which.enable, mux.output) == (3, 2, 120)
    for half, one in enumerate(netlist.memories):
        (ninth,) = one.reads  # the other bits are not asked for
        assert mux.inputs[half] == ninth.data[0]
        assert (ninth.width, ninth.first, ninth.address[:3]) == (1, PARITY, (4, 5, 0))
    assert mux == Table(120, (*mux.inputs[:2], which.output), 0b11001010)


def test_rows_of_one_bit(tmp_path):
    one = memory("RAMB36E1", 1, 16)
    one["connections"]["ADDRARDADDR"][0] = 7
    low, high = read(tmp_path, 20, words=one).netlist.memories
    assert [len(half.reads[0].address) for half in (low, high)] == [14, 14]
    assert low.reads[0].first == 0 and low.reads[0].width == 1


@pytest.mark.parametrize("width", [9, 1])
def test_both_halves_are_written_at_odd_widths(tmp_path, width):
    """Each its own rows; the data are those of one pin."""
    one = memory("RAMB36E1", width, 16, WRITE_WIDTH_B=f"{width:b}")
    pins = one["connections"] | {"ENBWREN": [6], "WEBWE": [7] * 4 + ["0"] * 4}
    pins |= {"ADDRBWRADDR": [3, 3, 3, 4, *[5] * 12], "DIPBDIP": [8, "0", "0", "0"]}
    pins["DIBDI"] = [9, *["0"] * 31]
    asked = 120 if width == 9 else 20
    netlist = read(tmp_path, asked, words=one | {"connections": pins}).netlist
    tables = {table.output: table for table in netlist.tables}
    lowest = 4 if width == 9 else 3
    for half, memory_ in enumerate(netlist.memories):
        write = memory_.writes[-1]
        assert write.data == (8 if width == 9 else 9,)
        enable = tables[write.enable]
        assert enable.inputs == (6, 7, lowest)
        assert enable.contents == 1 << (7 if half else 3)


def test_a_strobe_may_come_through_tables(tmp_path):
    """The router passes nets through tables; parts of rows are not written in any case."""
    one = memory("RAMB18E1", 18, 14, WRITE_WIDTH_B="10010")
    pins = one["connections"] | {"ENBWREN": [6], "WEBWE": [7, 150, *["0"] * 6]}
    one |= {"connections": pins}
    through = {"through": cell("LUT1", {"INIT": "10"}, I0=7, O=150)}
    (found,) = read(tmp_path, 20, words=one, **through).netlist.memories
    assert [write.strobes for write in found.writes] == [()]
    other = {"other": cell("LUT1", {"INIT": "01"}, I0=7, O=150)}
    with pytest.raises(ReadbackFault, match=r"^the block memory words 0 writes parts of rows$"):
        read(tmp_path, 20, words=one, **other)
    # A port that never writes is none.
    pins |= {"ENBWREN": [151], "WEBWE": [7, 7, *["0"] * 6]}
    never = {"never": cell("LUT1", {"INIT": "00"}, I0=7, O=151)}
    (found,) = read(tmp_path, 20, words=one, **never).netlist.memories
    assert found.writes == ()


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"odd": cell("DSP48E1", P=20)}, "the netlist has the cell odd, a DSP48E1"),
        (
            {"lut": cell("LUT1", {"INIT": "01"}, I0=150, O=20)},
            "nothing drives net 150 in the netlist",
        ),
    ],
)
def test_what_is_not_known(tmp_path, cells, message):
    with pytest.raises(ReadbackFault) as error:
        read(tmp_path, 20, **cells)
    assert str(error.value) == message
