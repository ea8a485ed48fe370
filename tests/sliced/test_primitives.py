# SPDX-License-Identifier: BSD-3-Clause
"""Primitives as gates do what Yosys' own models do, and block memories what the RTL says."""

import json

import numpy as np
import pytest

from bonn_hw.errors import UserError
from bonn_hw.sliced.post_synthesis import translated
from bonn_hw.synth import cells
from tests.support import four_states, yosys

CYCLES = 400
# A cell: its parameters with their bits, its inputs and outputs with their bits.
LOGIC = {
    **{
        f"LUT{n}": ({"INIT": 1 << n}, {f"I{place}": 1 for place in range(n)}, {"O": 1})
        for n in range(1, 7)
    },
    "INV": ({}, {"I": 1}, {"O": 1}),
    **{f"MUXF{n}": ({}, {"I0": 1, "I1": 1, "S": 1}, {"O": 1}) for n in (7, 8, 9)},
    "CARRY4": ({}, {"CI": 1, "CYINIT": 1, "DI": 4, "S": 4}, {"O": 4, "CO": 4}),
    "CARRY8": ({}, {"CI": 1, "DI": 8, "S": 8}, {"O": 8, "CO": 8}),
}
CLOCKED = {
    "FDRE": ({"INIT": 1}, {"C": 0, "CE": 1, "D": 1, "R": 1}, {"Q": 1}),
    "FDSE": ({"INIT": 1}, {"C": 0, "CE": 1, "D": 1, "S": 1}, {"Q": 1}),
    "FDCE": ({"INIT": 1}, {"C": 0, "CE": 1, "D": 1, "CLR": None}, {"Q": 1}),
    "FDPE": ({"INIT": 1}, {"C": 0, "CE": 1, "D": 1, "PRE": None}, {"Q": 1}),
    "SRL16E": (
        {"INIT": 16},
        {"CLK": 0, "CE": 1, "D": 1, "A0": 1, "A1": 1, "A2": 1, "A3": 1},
        {"Q": 1},
    ),
    "SRLC16E": (
        {"INIT": 16},
        {"CLK": 0, "CE": 1, "D": 1, "A0": 1, "A1": 1, "A2": 1, "A3": 1},
        {"Q": 1, "Q15": 1},
    ),
    "SRLC32E": ({"INIT": 32}, {"CLK": 0, "CE": 1, "D": 1, "A": 5}, {"Q": 1, "Q31": 1}),
}


def of_ports(abits, width, letters):
    return (
        {f"INIT_{x}": width << abits for x in letters},
        {"WCLK": 0, "WE": 1} | {f"ADDR{x}": abits for x in letters}
        | {f"DI{x}": width for x in letters},
        {f"DO{x}": width for x in letters},
    )  # fmt: skip


def of_one_bit(abits, vector, dual):
    def address(name):
        if vector:
            return {name: abits}
        return {f"{name}{place}": 1 for place in range(abits)}

    inputs = {"WCLK": 0, "WE": 1, "D": 1} | address("A") | (address("DPRA") if dual else {})
    return {"INIT": 1 << abits}, inputs, {"SPO": 1, "DPO": 1} if dual else {"O": 1}


MEMORIES = {
    "RAM32M": of_ports(5, 2, "ABCD"),
    "RAM64M": of_ports(6, 1, "ABCD"),
    "RAM32M16": of_ports(5, 2, "ABCDEFGH"),
    "RAM64M8": of_ports(6, 1, "ABCDEFGH"),
    **{f"RAM{1 << n}X1S": of_one_bit(n, n > 7, dual=False) for n in (5, 6, 7, 8, 9)},
    **{f"RAM{1 << n}X1D": of_one_bit(n, n > 6, dual=True) for n in (5, 6, 7, 8)},
}
CELLS = LOGIC | CLOCKED | MEMORIES


def module(kind, rng):
    """A module of one primitive with a random start."""
    sizes, inputs, outputs = CELLS[kind]
    parameters = {name: "".join(map(str, rng.integers(0, 2, bits))) for name, bits in sizes.items()}
    if kind == "CARRY8":
        parameters["CARRY_TYPE"] = "SINGLE_CY8"
    ports = {"clk": {"direction": "input", "bits": [2]}}
    connections, fresh = {}, 3
    for pins, direction in ((inputs, "input"), (outputs, "output")):
        for name, bits in pins.items():
            if bits:
                connections[name] = [*range(fresh, fresh + bits)]
                ports[name] = {"direction": direction, "bits": connections[name]}
                fresh += bits
            else:
                connections[name] = ["0"] if bits is None else [2]
    directions = dict.fromkeys(inputs, "input") | dict.fromkeys(outputs, "output")
    cell = {
        "hide_name": 0, "type": kind, "parameters": parameters, "attributes": {},
        "port_directions": directions, "connections": connections,
    }  # fmt: skip
    return {"attributes": {}, "ports": ports, "cells": {"one": cell}, "netnames": {}}


def bench(pairs):
    """A module in which pairs of modules read the same random bits and have to be equal.

    Parameters
    ----------
    pairs : list of (gold, gate, inputs, outputs)
        Names of modules, and the bits of their ports.
    """
    lines, wide = [], 0
    for place, (gold, gate, inputs, outputs) in enumerate(pairs):
        total = sum(outputs.values())
        for name in (gold, gate):
            lines.append(f"wire [{total - 1}:0] {name}_{place};")
            pins, at = [".clk(clk)"], 0
            for pin, bits in outputs.items():
                pins.append(f".{pin}({name}_{place}[{at + bits - 1}:{at}])")
                at += bits
            at = wide
            for pin, bits in inputs.items():
                pins.append(f".{pin}(random[{(at + bits - 1) % 997}:{at % 997}])")
                at += bits
                if at % 997 + 40 > 997:
                    at = 0
            lines.append(f"{name} unit_{name} ({', '.join(pins)});")
        wide = at
        lines.append(f"always @(posedge clk) assert ({gold}_{place} === {gate}_{place});")
    random = "".join(map(str, np.random.default_rng(1).integers(0, 2, 997)))
    # x ** 997 + ... : a step of the register shifts it by 61 places, so that bits are fresh.
    return "\n".join(
        [
            "module bench (input clk);",
            f"reg [996:0] random = 997'b{random};",
            "always @(posedge clk) random <= {random[935:0], random[996:936] ^ random[500:440]};",
            *lines,
            "endmodule",
        ]
    )


def simulate(folder, pairs, *reading):
    """Yosys' simulator ends with an error if a pair differs in any cycle."""
    (folder / "bench.sv").write_text(bench(pairs))
    yosys.do(
        folder,
        *reading,
        "read_verilog -sv bench.sv",
        "hierarchy -check -top bench",
        "delete t:$specify* t:$specrule",
        *("proc", "bmuxmap", "opt_clean", "memory -nomap", "memory_nordff", "async2sync"),
        f"sim -assert -clock clk -n {CYCLES} -zinit bench",
    )


def test_primitives(tmp_path):
    kinds = (cells.LUT_MEMORIES, cells.SHIFT_REGISTERS, cells.CARRIES, cells.SELECTORS)
    assert {kind for some in kinds for kind in some} <= CELLS.keys()
    rng = np.random.default_rng(2)
    gold = {kind: module(kind, rng) for kind in CELLS}
    modules = {f"gold_{kind}": one for kind, one in gold.items()}
    modules |= {f"gate_{kind}": translated(one) for kind, one in gold.items()}
    (tmp_path / "cells.json").write_text(json.dumps({"creator": "test", "modules": modules}))
    pairs = []
    for kind, (_, inputs, outputs) in CELLS.items():
        read = {name: bits for name, bits in inputs.items() if bits}
        pairs.append((f"gold_{kind}", f"gate_{kind}", read, outputs))
    simulate(tmp_path, pairs, "read_json cells.json", "read_verilog -icells +/xilinx/cells_sim.v")


IN_FOUR_STATES = """
module bench;
  reg clk = 0;
  always #5 clk = !clk;
  reg [996:0] random = 997'b{random};
  integer cycle = 0, compared = 0;
  reg lost = 0, reading = 0;  // an unknown address is written, read
{pins}
  gold gold (.clk(clk){gold});
  gate gate (.clk(clk){gate});
  always @(posedge clk) begin
    random <= {{random[935:0], random[996:936] ^ random[500:440]}};
    cycle <= cycle + 1;
    reading <= cycle == {cycles};
    lost <= cycle == {cycles} + 2;
{checks}
    if (cycle == {cycles} + 5) begin
      $display("PASSED: %0d words", compared);
      $finish;
    end
  end
endmodule
"""
COMPARED = """
    if (cycle < {cycles} && ^gold_q{n} !== 1'bx) begin
      compared = compared + 1;
      if (gold_q{n} !== gate_q{n}) $fatal(1, "word {n}: %h, not %h", gate_q{n}, gold_q{n});
    end
    if (cycle == {cycles} + 2 && gate_q{n} !== {width}'bx) $fatal(1, "read {n}: %h", gate_q{n});
"""
LOST = """
    if (cycle == {cycles} + 5 && gate_q{n} !== {width}'bx) $fatal(1, "lost {n}: %h", gate_q{n});
"""


def check_in_four_states(folder, netlist, inputs, outputs):
    """`block_memories.sv` equals the RTL where that is known, and what is unknown stays it."""
    pins, at = [], 0
    for name, bits in inputs.items():
        drawn = f"random[{at + bits - 1}:{at}]"
        at = (at + bits) % 900
        known = {"ra": "reading", "wa": "lost", "re": "0", "we": "0", "d": "0"}[
            name.rstrip("0123456789")
        ]
        value = f"{known} ? {bits}'bx : {drawn}"
        if name.startswith(("re", "we")):
            value = f"{drawn} || cycle > {CYCLES}"
        pins.append(f"  wire [{bits - 1}:0] {name} = {value};")
    checks = []
    for n, (_, width, written) in enumerate(BLOCKS):
        pins.append(f"  wire [{width - 1}:0] gold_q{n}, gate_q{n};")
        checks.append(COMPARED.format(n=n, width=width, cycles=CYCLES))
        checks += [LOST.format(n=n, width=width, cycles=CYCLES)] * written
    shared = "".join(f", .{name}({name})" for name in inputs)
    ends = {
        name: shared + "".join(f", .{pin}({name}_{pin})" for pin in outputs)
        for name in ("gold", "gate")
    }
    random = "".join(map(str, np.random.default_rng(1).integers(0, 2, 997)))
    (folder / "bench.v").write_text(
        IN_FOUR_STATES.format(
            random=random, pins="\n".join(pins), checks="".join(checks), cycles=CYCLES, **ends
        )
    )
    (folder / "models.sv").write_text(four_states.models())
    (folder / "gate.v").write_text(four_states.structural(netlist, "gate"))
    sources = [folder / name for name in ("models.sv", "gold.v", "gate.v", "bench.v")]
    well, told = four_states.compiled(sources, "bench", folder).run(folder)
    assert well and told.startswith("PASSED: "), told
    assert int(told.split()[1]) > CYCLES  # words that were compared


# Words and bits of block memories, and whether they are written.
BLOCKS = [(1024, 20, 0), (1024, 40, 0), (512, 72, 1), (512, 36, 1), (8192, 4, 1), (2048, 9, 1),
          (16384, 1, 0), (1024, 18, 1)]  # fmt: skip


def block(place, words, width, written):
    """A block memory in RTL; its words are read often while they are written."""
    abits = words.bit_length() - 1
    few = [f"wire [{abits - 1}:0] {x}_{place} = {x}{place}[{abits - 1}] ? {x}{place} : "
           f"{x}{place} & 7;" for x in ("ra", "wa")]  # fmt: skip
    write = f"if (we{place}) mem{place}[wa_{place}] <= d{place};" if written else ""
    return [
        *few,
        f'(* ram_style = "block" *) reg [{width - 1}:0] mem{place} [0:{words - 1}];',
        f'initial $readmemh("words{place}.hex", mem{place});',
        f"always @(posedge clk) begin {write}",
        f"  if (re{place}) q{place} <= mem{place}[ra_{place}]; end",
    ]


@pytest.mark.parametrize("family", ["xc7", pytest.param("xcup", marks=pytest.mark.large)])
def test_block_memories(family, tmp_path):
    inputs, outputs, lines = {}, {}, []
    for place, (words, width, written) in enumerate(BLOCKS):
        abits = words.bit_length() - 1
        inputs |= {f"ra{place}": abits, f"wa{place}": abits, f"d{place}": width,
                   f"re{place}": 1, f"we{place}": 1}  # fmt: skip
        outputs[f"q{place}"] = width
        lines += block(place, words, width, written)
        contents = np.random.default_rng(place).integers(0, 16, (words, (width + 3) // 4))
        contents[:, 0] &= (1 << (width - 1) % 4 + 1) - 1
        text = "\n".join("".join(f"{digit:x}" for digit in word) for word in contents)
        (tmp_path / f"words{place}.hex").write_text(text)
    ports = [f"input [{bits - 1}:0] {name}" for name, bits in inputs.items()]
    ports += [f"output reg [{bits - 1}:0] {name}" for name, bits in outputs.items()]
    text = "\n".join(["module gold (input clk,", ",\n".join(ports), ");", *lines, "endmodule"])
    (tmp_path / "gold.v").write_text(text)
    script = [
        "read_verilog gold.v",
        f"synth_xilinx -family {family} -flatten -noiopad -noclkbuf -top gold",
        "write_json netlist.json",
    ]
    yosys.make(tmp_path, script, ["netlist.json"])
    netlist = json.loads((tmp_path / "netlist.json").read_text())["modules"]["gold"]
    kinds = {cell["type"] for cell in netlist["cells"].values()}
    generation = "E1" if family == "xc7" else "E2"
    assert {f"RAMB18{generation}", f"RAMB36{generation}"} <= kinds
    made = {"creator": "test", "modules": {"gate": translated(netlist)}}
    (tmp_path / "gate.json").write_text(json.dumps(made))
    simulate(
        tmp_path, [("gold", "gate", inputs, outputs)], "read_verilog gold.v", "read_json gate.json"
    )
    if family == "xc7":
        check_in_four_states(tmp_path, netlist, inputs, outputs)


@pytest.mark.parametrize(
    ("kind", "pins", "parameters", "message"),
    [
        ("FDCE", {"C": [2], "CLR": [3]}, {}, "has an asynchronous reset"),
        ("FDRE", {"C": [3]}, {}, "has another clock"),
        ("FDRE", {"C": [2]}, {"IS_D_INVERTED": "1"}, r"inverts a pin \(IS_D_INVERTED\)"),
        ("CARRY8", {}, {"CARRY_TYPE": "DUAL_CY4"}, "is two chains"),
        ("RAMB18E1", {}, {"DOA_REG": "1"}, "has an output register"),
        ("RAMB36E1", {}, {"RAM_EXTENSION_A": "LOWER"}, "is one of a pair"),
        (
            "RAMB18E1",
            {},
            {"READ_WIDTH_A": "100", "WRITE_WIDTH_B": "10"},
            "has words of 2 and 4 bits",
        ),
        ("DSP48E2", {}, {}, "is a primitive"),
    ],
)
def test_what_is_not_simulated_is_refused_by_name(kind, pins, parameters, message):
    cell = {
        "type": kind, "parameters": parameters, "connections": pins,
        "port_directions": dict.fromkeys(pins, "input"),
    }  # fmt: skip
    ports = {"clk": {"direction": "input", "bits": [2]}}
    one = {"ports": ports, "cells": {"one": cell}, "netnames": {}}
    with pytest.raises(UserError, match=message) as error:
        translated(one)
    assert str(error.value).startswith(f"simulate: the {kind} one ")
    assert str(error.value).endswith(
        ", which --netlist does not simulate: simulate the RTL, without --netlist"
    )
