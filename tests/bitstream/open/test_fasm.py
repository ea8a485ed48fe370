# SPDX-License-Identifier: BSD-3-Clause
"""FASM, and frames by a small database of the same form as prjxray's."""

import json

import pytest

from bonn_hw.bitstream.open import seven_series, xray
from bonn_hw.bitstream.open.fasm import FasmFault, Feature, read
from bonn_hw.errors import UserError

SEGBITS = """CLB.A.INIT[00] 3_1
CLB.A.INIT[01] 3_2
CLB.A.INIT[10] 3_33
CLB.MUX.X 0_0 !0_1
CLB.MUX.Y !0_0 0_1
"""
GRID = {
    "CLB_X1Y2": {
        "type": "CLB",
        "grid_x": 5,
        "grid_y": 6,
        "bits": {"CLB_IO_CLK": {"baseaddr": "0x00400100", "offset": 7}},
    },
    "PSS_X0Y0": {"type": "PSS", "grid_x": 0, "grid_y": 0, "bits": {}},
}


@pytest.fixture
def database(tmp_path):
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "tilegrid.json").write_text(json.dumps(GRID))
    (tmp_path / "segbits_clb.db").write_text(SEGBITS)
    (tmp_path / "ppips_clb.db").write_text("CLB.IN.OUT always\n")
    pips = {"pips": {"one": {"src_wire": "FROM", "dst_wire": "TO"}}}
    (tmp_path / "tile_type_PSS.json").write_text(json.dumps(pips))
    return xray.Database(tmp_path, "small", "small-1")


def test_lines_of_every_form():
    text = """
    # a comment
    CLB_X1Y2.MUX.X
    CLB_X1Y2.MUX.Y = 0
    CLB_X1Y2.A.INIT[10:0] = 11'b10_0000_0001   # with a comment
    CLB_X1Y2.A.INIT[3] = 1
    CLB_X1Y2.B.INIT[7:4] = 4'hA
    """
    init = "A.INIT"
    assert list(read(text)) == [
        Feature("CLB_X1Y2", "MUX.X"),
        Feature("CLB_X1Y2", init, 0),
        Feature("CLB_X1Y2", init, 9),
        Feature("CLB_X1Y2", init, 3),
        Feature("CLB_X1Y2", "B.INIT", 5),
        Feature("CLB_X1Y2", "B.INIT", 7),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("CLB_X1Y2", "line 1 is not FASM: CLB_X1Y2"),
        ("CLB_X1Y2.A = 2", "line 1 sets a single feature to the value 2"),
        ("CLB_X1Y2.A[1:0] = 3'b100", "line 1 has more bits than places"),
    ],
)
def test_what_is_not_fasm(line, message):
    with pytest.raises(FasmFault, match=message):
        list(read(line))


def test_frames_and_back(database):
    text = "CLB_X1Y2.MUX.X\nCLB_X1Y2.A.INIT[10:0] = 11'h402\nCLB_X1Y2.IN.OUT\nPSS_X0Y0.TO.FROM\n"
    features = list(read(text))
    bits = xray.assemble(features, database)
    assert bits == {(0x400100, 7, 0), (0x400103, 7, 2), (0x400103, 8, 1)}
    lines = xray.frames_text(bits).splitlines()
    assert [line.split()[0] for line in lines] == ["0x00400100", "0x00400103"]
    words = lines[1].split()[1].split(",")
    assert (len(words), words[7], words[8]) == (101, "0x00000004", "0x00000002")
    told = "bit_00400100_007_00\nbit_00400103_007_02\nbit_00400103_008_01\nbit_00400100_050_12\n"
    assert xray.read_bits(told) == bits  # check bits are other programs' matter
    assert xray.compare(features, bits, database) == []


def test_a_changed_line_is_told(database):
    features = list(read("CLB_X1Y2.MUX.X\nCLB_X1Y2.A.INIT[1:0] = 2'b10"))
    bits = xray.assemble(features, database)
    changed = list(read("CLB_X1Y2.MUX.Y\nCLB_X1Y2.A.INIT[1:0] = 2'b01"))
    assert xray.compare(changed, bits, database) == [
        "CLB_X1Y2.MUX.Y is not in the bitstream",
        "CLB_X1Y2.A.INIT[0] is not in the bitstream",
        "bit 0 of word 7 of frame 0x00400100 is 1 and belongs to no feature",
        "bit 2 of word 7 of frame 0x00400103 is 1 and belongs to no feature",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("CLB_X9Y9.MUX.X", "small has no tile CLB_X9Y9"),
        ("CLB_X1Y2.MUX.Z", r"no bits for CLB_X1Y2.MUX.Z \(CLB\)"),
        ("PSS_X0Y0.TO.NOWHERE", r"no bits for PSS_X0Y0.TO.NOWHERE \(PSS\)"),
        ("CLB_X1Y2.MUX.X\nCLB_X1Y2.MUX.Y", "sets a bit that CLB_X1Y2.MUX.. clears"),
    ],
)
def test_what_the_database_does_not_have(database, line, message):
    with pytest.raises(FasmFault, match=message):
        xray.assemble(read(line), database)


def cell(kind, bel="X5Y6/RAMB36", **parameters):
    return {"type": kind, "parameters": parameters, "attributes": {"NEXTPNR_BEL": bel}}


def test_netlists_that_the_chain_does_not_build_right_are_refused():
    seven_series.check_cells({"a": cell("LUT6"), "b": cell("RAMB36E1", RAM_EXTENSION_A="NONE")})
    for wrong, told in (
        (cell("RAM32M"), "1 RAM32M"),
        (cell("DSP48E1"), "1 DSP48E1"),
        (cell("RAMB36E1", RAM_EXTENSION_A="UPPER"), "1 cascaded RAMB36E1"),
    ):
        with pytest.raises(UserError, match=f"not known to implement {told} correctly: compile"):
            seven_series.check_cells({"a": cell("LUT6"), "b": wrong})


def test_what_the_router_leaves_out_of_narrow_block_memories_is_added(database):
    cells = {
        "wide": cell("RAMB36E1_RAMB36E1", READ_WIDTH_A="100100", WRITE_WIDTH_B="0"),
        "half": cell("RAMB18E1_RAMB18E1", READ_WIDTH_A="1001"),
    }
    assert seven_series.missing_features(cells, database) == []
    cells["narrow"] = cell("RAMB36E1_RAMB36E1", READ_WIDTH_A="1001", WRITE_WIDTH_B="0")
    cells["both"] = cell("RAMB36E1_RAMB36E1", READ_WIDTH_B="1", WRITE_WIDTH_A="1001")
    assert [str(one) for one in seven_series.missing_features(cells, database)] == [
        "CLB_X1Y2.RAMB36.BRAM36_READ_WIDTH_A_1",
        "CLB_X1Y2.RAMB36.BRAM36_READ_WIDTH_B_1",
        "CLB_X1Y2.RAMB36.BRAM36_WRITE_WIDTH_A_1",
    ]
    cells["narrow"]["attributes"]["NEXTPNR_BEL"] = "nowhere"
    with pytest.raises(FasmFault, match=r"^a block memory lies at nowhere$"):
        seven_series.missing_features(cells, database)


def test_both_halves_get_the_ninth_bit_of_what_is_written():
    pins = {"DIPADIP": [7, 0, 0, 0], "DIPBDIP": [8, 0, 0, 0]}
    widths = {"WRITE_WIDTH_A": "1001", "WRITE_WIDTH_B": "10010"}
    cells = {
        kind: {
            "type": kind,
            "parameters": widths,
            "connections": {k: [*v] for k, v in pins.items()},
        }
        for kind in ("RAMB36E1", "RAMB18E1")
    }
    seven_series.join_parity(cells)
    assert cells["RAMB36E1"]["connections"] == {**pins, "DIPADIP": [7, 7, 0, 0]}
    assert cells["RAMB18E1"]["connections"] == pins


def test_a_line_of_the_database_that_names_no_feature(database, tmp_path):
    (tmp_path / "segbits_clb.db").write_text("CLB.MUX-X 00_01\n")
    with pytest.raises(FasmFault) as error:
        database.bits(Feature("CLB_X1Y2", "MUX.X"))
    assert str(error.value) == "segbits_clb.db has a line that names no feature: CLB.MUX-X 00_01"
