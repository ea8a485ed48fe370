# SPDX-License-Identifier: BSD-3-Clause
"""All RTL that is shipped is legal SystemVerilog by slang, which refuses what it is there for.

Kernels with all their foldings are in `kernels/test_contract.py`, whole designs behind a bus or a
serial line in `emit/test_systems.py`.
"""

import re

import pytest

from bonn_hw.bitstream.open.flow import files_folder
from bonn_hw.emit.write import templates_folder
from bonn_hw.ir.rtl import module_name
from tests.support import lint

FILES = sorted((*templates_folder().rglob("*.sv"), *files_folder().glob("*.sv")))
EARLY = """module early (input logic clk, output logic seen);
  always_ff @(posedge clk) seen <= wanted;
  logic wanted;
  assign wanted = clk;
endmodule
"""
IMPLICIT = """module implicit_net (input logic a, output logic z);
  sink child (.in(wanted), .out(z));
  logic wanted;
  assign wanted = a;
endmodule
module sink (input logic in, output logic out);
  assign out = in;
endmodule
"""
MIXED = """module mixed (input logic clk, output logic q);
  assign q = 1'b0;
  always_ff @(posedge clk) q <= !q;
endmodule
"""
INITIAL = """module initial_too (input logic clk, output logic q);
  initial q = 1'b0;
  always_ff @(posedge clk) q <= !q;
endmodule
"""
TWICE = """module twice (input logic clk, input logic a, output logic q);
  always_ff @(posedge clk) if (a) q <= 1'b0;
  always_ff @(posedge clk) if (!a) q <= 1'b1;
endmodule
"""
GOOD = """module good (input logic clk, output logic [1:0] q);
  logic held_q = 1'b0;
  assign q = {held_q, 1'b0};
  always_ff @(posedge clk) held_q <= !held_q;
endmodule
"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (EARLY, "identifier 'wanted' used before its declaration"),
        (IMPLICIT, "identifier 'wanted' used before its declaration"),
        (MIXED, "cannot mix continuous and procedural assignments to variable 'q'"),
        (INITIAL, "variable 'q' driven by always_ff procedure cannot be written to by any other"),
        (TWICE, "variable 'q' driven by always_ff procedure cannot be written to by any other"),
        (GOOD, None),
    ],
    ids=["early", "implicit", "mixed", "initial", "twice", "good"],
)
def test_what_slang_refuses(tmp_path, text, reason):
    file = tmp_path / "file.sv"
    file.write_text(text)
    told = lint.slang(text.split()[1], [file])
    assert told == "" if reason is None else reason in told


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_holds_one_module_of_its_name(path):
    assert re.findall(r"^module (\w+)", path.read_text(), re.MULTILINE) == [module_name(path.stem)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_module_is_legal_with_its_defaults(path):
    assert lint.slang(module_name(path.stem), FILES) == ""


def test_verible_finds_nothing():
    assert lint.verible(*FILES) == ""


def test_what_verible_refuses(tmp_path):
    file = tmp_path / "file.sv"
    file.write_text("module Bad(input a);\n  always @(*) begin\n  end \nendmodule\n")
    told = lint.verible(file)
    assert "always_comb" in told and "trailing spaces" in told


SLOTS = [(1, 1), (24, 4), (64, 8), (100, 16)]  # bits and bytes of a beat


def of_both_sides(**sizes):
    return {f"{side}_{name}": value for side in ("IN", "OUT") for name, value in sizes.items()}


@pytest.mark.parametrize("streams", [1, 2, 30, 128])
@pytest.mark.parametrize(("bits", "slot"), SLOTS)
def test_the_shell_is_legal_for_all_slots(bits, slot, streams):
    sizes = of_both_sides(BITS=bits, SLOT=slot, BEATS=9, WORDS=-(-slot * 9 // 8))
    told = lint.slang("bonn_shell", FILES, {**sizes, "STREAMS": streams, "HASH": "128'h1"})
    assert told == ""


@pytest.mark.parametrize(("bits", "slot"), SLOTS)
def test_the_serial_front_is_legal_for_all_slots(bits, slot):
    sizes = of_both_sides(BITS=bits, SLOT=slot, BEATS=9)
    told = lint.slang("bonn_serial_front", FILES, {**sizes, "IN_WORDS": -(-slot * 9 // 8)})
    assert told == ""
