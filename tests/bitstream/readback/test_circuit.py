# SPDX-License-Identifier: BSD-3-Clause
"""Features -> netlist, on a device of four tiles with a database of prjxray's form."""

import json
from dataclasses import replace

import pytest

from bonn_hw.bitstream.open.xray import Database
from bonn_hw.bitstream.readback import circuit
from bonn_hw.bitstream.readback.features import Enabled
from bonn_hw.bitstream.readback.frames import ReadbackFault
from bonn_hw.bitstream.readback.memories import Half
from bonn_hw.bitstream.readback.netlist import PARITY, Port, Register, Table
from bonn_hw.bitstream.readback.routing import Fabric, Pin
from bonn_hw.bitstream.readback.wiring import Wiring

SYSTEM = {"FCLKCLK0": "OUT", "MAXIGP0ARVALID": "OUT", "MAXIGP0RVALID": "IN", "MAXIGP0ACLK": "IN"}
LUT = [f"A{number}" for number in range(1, 7)]
SLICE = {**dict.fromkeys((*LUT, "CLK", "AX"), "IN"), "A": "OUT", "AQ": "OUT"}
# A switch box of two tiles in a row, of which the second is before the slice.
PIPS = {
    "RVALID.A": "0_0",
    "RVALID.AQ": "0_1",
    "LUT.ARVALID": "0_2",
    "LUT.AQ": "0_3",
    "ACLK.FCLK": "0_4",
    "CLK.FCLK": "0_5",
    "CLK.ARVALID": "0_6",
    "LUT.LUT2": "0_7",
    "LUT2.LUT": "0_8",
}


def wires(kind, pins):
    """A site's wires are called as its pins, with the tile's type before."""
    return {name: {"wire": f"{kind}_{name}"} for name in pins}


def tile_type(kind, sites=(), names=(), pips=()):
    pins = {one for _, row in sites for one in row}
    return {
        "tile_type": kind,
        "wires": dict.fromkeys([*(f"{kind}_{one}" for one in pins), *names]),
        "sites": [
            {"type": what, "x_coord": 0, "y_coord": 0, "site_pins": wires(kind, row)}
            for what, row in sites
        ],
        "pips": {f"{a}->{b}": {"src_wire": a, "dst_wire": b} for a, b in pips},
    }


@pytest.fixture
def wiring(tmp_path):
    boxes = ["RVALID", "A", "AQ", "LUT", "LUT2", "ARVALID", "ACLK", "FCLK", "CLK", "REST"]
    types = [
        tile_type("PSS2", [("PS7", SYSTEM)]),
        tile_type("INT_L", names=[*boxes, "VCC_WIRE"]),
        tile_type("CLBLL_L", [("SLICEL", SLICE)]),
    ]
    for one in types:
        (tmp_path / f"tile_type_{one['tile_type']}.json").write_text(json.dumps(one))
    for name, pins in (("PS7", SYSTEM), ("SLICEL", SLICE)):
        facts = {"site_pins": {pin: {"direction": way} for pin, way in pins.items()}}
        (tmp_path / f"site_type_{name}.json").write_text(json.dumps(facts))
    lines = [f"INT_L.{name} {bit}" for name, bit in PIPS.items()]
    (tmp_path / "segbits_int_l.db").write_text("\n".join(lines))
    (tmp_path / "ppips_int_l.db").write_text(
        "INT_L.REST.VCC_WIRE default\nINT_L.LUT.VCC_WIRE default\nINT_L.LUT2.A hint\n"
    )
    kinds = ("PSS2", "INT_L", "CLBLL_L")
    grid = {
        f"{kind}_X{column}Y0": {
            "type": kind,
            "grid_x": column,
            "grid_y": 0,
            "bits": {},
            "sites": {"PS7_X0Y0": "PS7"} if kind == "PSS2" else {},
        }
        for column, kind in enumerate(kinds)
    }
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "tilegrid.json").write_text(json.dumps(grid))
    system = [("MAXIGP0ARVALID", "ARVALID"), ("MAXIGP0RVALID", "RVALID")]
    system += [("FCLKCLK0", "FCLK"), ("MAXIGP0ACLK", "ACLK")]
    rest = [("REST", name) for name in (*LUT[1:], "AX")]
    logic = [("A", "A"), ("AQ", "AQ"), ("LUT", "A1"), ("CLK", "CLK"), *rest]
    connections = [
        {
            "grid_deltas": [-1, 0],
            "tile_types": ["INT_L", "PSS2"],
            "wire_pairs": [[box, f"PSS2_{pin}"] for pin, box in system],
        },
        {
            "grid_deltas": [1, 0],
            "tile_types": ["INT_L", "CLBLL_L"],
            "wire_pairs": [[box, f"CLBLL_L_{pin}"] for box, pin in logic],
        },
    ]
    (tmp_path / "small" / "tileconn.json").write_text(json.dumps(connections))
    return Wiring(Database(tmp_path, "small", "small-1"))


def device(*pips, names=(), contents=0):
    prefix = "SLICEL_X0"
    return {
        "INT_L_X1Y0": Enabled(frozenset(pips)),
        "CLBLL_L_X2Y0": Enabled(
            frozenset(f"{prefix}.{name}" for name in names), {f"{prefix}.ALUT.INIT": contents}
        ),
    }


INVERTER = 0x5555555555555555


def test_a_table_between_two_pins(wiring):
    enabled = device("RVALID.A", "LUT.ARVALID", "ACLK.FCLK", contents=INVERTER)
    found = circuit.read(enabled, wiring)
    (asked,) = found.inputs.values()
    assert list(found.inputs) == ["MAXIGP0ARVALID"]
    assert found.tables == (Table(found.outputs["MAXIGP0RVALID"], (asked,), 0b01),)
    assert found.registers == found.memories == ()


def test_a_register_and_what_is_on_by_default(wiring):
    names = ("AFFMUX.O6", "AFF.ZINI")
    pips = ("RVALID.AQ", "CLK.FCLK", "ACLK.FCLK")
    toggling = device(*pips, "LUT.AQ", names=names, contents=INVERTER)
    found = circuit.read(toggling, wiring)
    net = found.outputs["MAXIGP0RVALID"]
    (table,) = found.tables
    assert table == Table(table.output, (net,), 0b01)
    assert found.registers == (Register(net, table.output, 1, 0, 1, 0),)
    # Nothing drives the wire LUT: it is 1, so the register takes 0 now.
    still = circuit.read(device(*pips, names=names, contents=INVERTER), wiring)
    assert (still.tables, still.registers[0].data) == ((), 0)


@pytest.mark.parametrize(
    ("enabled", "message"),
    [
        (device("ACLK.FCLK"), "nothing drives PSS2_X0Y0[0].MAXIGP0RVALID"),
        (device("RVALID.A"), "PSS2_X0Y0[0].MAXIGP0ACLK does not have the clock FCLKCLK0"),
        (
            device("ACLK.FCLK", "RVALID.A", "RVALID.AQ"),
            "the wire PSS2_X0Y0.PSS2_MAXIGP0RVALID has two drivers: INT_L_X1Y0.A and INT_L_X1Y0.AQ",
        ),
        (
            device("ACLK.FCLK", "RVALID.A", "LUT.LUT2", "LUT2.LUT", contents=INVERTER),
            "the wire INT_L_X1Y0.LUT drives itself",
        ),
        (
            device(
                *("ACLK.FCLK", "RVALID.AQ", "LUT.AQ", "CLK.ARVALID"),
                names=("AFFMUX.O6",),
                contents=INVERTER,
            ),
            "CLBLL_L_X2Y0[0].CLK does not have the clock FCLKCLK0",
        ),
        (
            device("ACLK.FCLK", "RVALID.AQ", "CLK.FCLK"),
            "CLBLL_L_X2Y0: a SLICEL selects nothing with AFFMUX",
        ),
    ],
)
def test_what_is_no_circuit(wiring, enabled, message):
    with pytest.raises(ReadbackFault) as error:
        circuit.read(enabled, wiring)
    assert str(error.value) == message


def test_an_output_that_is_driven(wiring):
    enabled = {"INT_L_X1Y0": Enabled(frozenset(["ARVALID.A", "LUT.ARVALID"]))}
    with pytest.raises(ReadbackFault, match="has two drivers"):
        Fabric(wiring, enabled).source(Pin("CLBLL_L_X2Y0", 0, "A1"))


def half(names, vectors=None, sources=None, upper=False):
    """Half a block memory; the nets of its pins are numbered in the order of the questions.

    Odd bits that both halves show at a pin get nets from 2000 on.
    """
    nets = dict(sources or {})
    tables = []

    def net(pin):
        return nets.setdefault(pin, 100 + len(nets))

    def table(inputs, contents):
        tables.append((tuple(inputs), contents))
        return 1000 + len(tables)

    def joined(pin, which, enable):
        nets[f"{pin} of either"] = which, enable
        return 2000

    prefix = f"RAMB18_Y{upper:d}"
    enabled = Enabled(
        frozenset(name if "." in name else f"{prefix}.{name}" for name in names),
        {f"{prefix}.{name}": value for name, value in (vectors or {}).items()},
    )
    one = Half("BRAM_L_X6Y5", prefix, enabled, net, table, net, lambda pin: None, joined)
    return one, nets, tables


def test_a_memory_that_is_read_by_a_and_written_by_b():
    one, nets, tables = half(
        ("READ_WIDTH_A_9", "WRITE_WIDTH_B_4", "ZINV_ENARDEN", "WRITE_MODE_B_READ_FIRST"),
        {"INIT_01": 5, "INITP_02": 7, "ZSRVAL_A": 0x3FFFE, "ZINIT_A": 0x2FFFF},
        {"RSTRAMARSTRAM": 8, "ENBWREN": 0, **{f"WEBWE{bit}": 9 for bit in range(4)}},
    )
    memory = one.memory()
    assert memory.contents == 5 << 256 | 7 << PARITY + 512
    (read,), (write,) = memory.reads, memory.writes
    assert read == Port(
        tuple(nets[f"ADDRARDADDR{bit}"] for bit in range(3, 14)),
        8,
        nets["ENARDEN"],
        (*(nets[f"DOADO{bit}"] for bit in range(8)), nets["DOPADOP0"]),
        1001,  # inverted, as without ZINV
        reset_value=1,
        start=1 << 8,  # the parity bit
    )
    assert write.address == tuple(nets[f"ADDRBWRADDR{bit}"] for bit in range(2, 14))
    assert write.data == tuple(nets[f"DIBDI{bit}"] for bit in range(4))
    assert tables == [((8,), 0b01), ((1, 9), 0b1000)]
    assert write.enable == 1002 and write.strobes == (9,) * 4


@pytest.mark.parametrize("upper", [False, True])
def test_rows_of_nine_bits_in_a_whole_memory(upper):
    """Four data bits in each half; the ninth is in the half that the lowest address bit says."""
    names = ("READ_WIDTH_A_4", "WRITE_WIDTH_B_4", "WRITE_MODE_B_READ_FIRST")
    names += ("ZINV_ENARDEN", "ZINV_ENBWREN", "ZINV_RSTRAMARSTRAM")
    names += ("RAMB36.BRAM36_READ_WIDTH_A_1", "RAMB36.BRAM36_WRITE_WIDTH_B_1")
    strobes = {f"WEBWE{bit}": 9 for bit in range(4)}
    one, nets, tables = half(names, {"ZSRVAL_A": 0xFFFF, "ZINIT_A": 0x3FFFF}, strobes, upper)
    memory = one.memory()
    data, ninth = memory.reads
    assert (data.width, data.data) == (4, tuple(nets[f"DOADO{bit}"] for bit in range(4)))
    rows = tuple(nets[f"ADDRARDADDR{bit}"] for bit in range(3, 14))
    reset = nets["RSTRAMARSTRAM"]
    assert ninth == Port(rows, 1, nets["ENARDEN"], (2000,), reset, 1, 0, PARITY)
    assert data.address == (nets["ADDRARDADDR2"], *rows)
    assert nets["DOPADOP0 of either"] == (nets["ADDRARDADDR2"], nets["ENARDEN"])
    data, ninth = memory.writes
    rows = tuple(nets[f"ADDRBWRADDR{bit}"] for bit in range(3, 14))
    assert ninth == Port(rows, 1, 1002, (nets["DIPBDIP0"],), first=PARITY, strobes=(9,) * 4)
    asked = (nets["ENBWREN"], 9, nets["ADDRBWRADDR2"])
    assert tables == [(asked[:2], 0b1000), (asked, 0b1000_0000 if upper else 0b1000)]


def test_rows_of_one_bit_in_a_whole_memory():
    """The address has one more bit, at a pin that a half alone does not use."""
    names = ("READ_WIDTH_B_1", "ZINV_ENBWREN", "ZINV_RSTRAMB", "RAMB36.BRAM36_READ_WIDTH_B_1")
    one, nets, _ = half(names)
    (read,) = one.memory().reads
    assert (len(read.address), read.width, read.data, read.first) == (14, 1, (2000,), 0)
    assert nets["DOBDO0 of either"] == (nets["ADDRBTIEHIGH0"], nets["ENBWREN"])


def test_a_port_that_is_not_used_needs_no_clock():
    """Its enable is an inverted 1."""
    one, _, tables = half(("READ_WIDTH_A_9", "ZINV_ENARDEN", "READ_WIDTH_B_1"), {}, {"ENBWREN": 1})
    asked = []
    memory = replace(one, clocked=asked.append).memory()
    assert len(memory.reads) == 1 and memory.writes == ()
    assert asked == ["CLKARDCLK"] and len(tables) == 1  # the inverted reset


def test_both_ports_together():
    one, nets, _ = half(("SDP_READ_WIDTH_36", "ZINV_ENARDEN", "READ_WIDTH_A_18"))
    (read,) = one.memory().reads
    pins = [f"DO{side}DO{bit}" for side in "AB" for bit in range(16)]
    pins += [f"DOP{side}DOP{bit}" for side in "AB" for bit in range(2)]
    assert read.width == 32 and len(read.address) == 9
    assert read.data == tuple(nets[pin] for pin in pins)


@pytest.mark.parametrize(
    ("names", "sources", "message"),
    [
        (("DOA_REG",), {}, "has DOA_REG"),
        (("RAMB36.EN_ECC_READ",), {}, "has EN_ECC_READ"),
        (("READ_WIDTH_A_9", "READ_WIDTH_A_4"), {}, "has two widths at port A"),
        (
            ("READ_WIDTH_A_9", "ZINV_ENARDEN", "RAMB36.BRAM36_READ_WIDTH_A_1"),
            {},
            "has BRAM36_READ_WIDTH_A_1, and a width of 9",
        ),
        (
            ("WRITE_WIDTH_A_9",),
            {f"WEA{bit}": 5 for bit in range(4)},
            "does not read before it writes",
        ),
    ],
)
def test_memories_that_are_not_read(names, sources, message):
    with pytest.raises(ReadbackFault) as error:
        half(names, sources=sources)[0].memory()
    assert str(error.value) == f"the block memory BRAM_L_X6Y5 {message}"
