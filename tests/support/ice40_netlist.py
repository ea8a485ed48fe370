# SPDX-License-Identifier: BSD-3-Clause
"""The netlist that nextpnr-ice40 writes after routing -> Verilog with the ports of `serial_system`.

Cells as in the iCE40 UltraPlus data sheet, 3.1: a logic cell is a LUT, a carry and a flip-flop,
whose reset needs its enable. Block memories are Yosys' model. Inputs without a wire are 0, clock
enables 1.
"""

import json
from pathlib import Path

import pyosys

CELLS = Path(pyosys.__file__).parent / "share" / "ice40" / "cells_sim.v"
CLOCK = "clk"


def verilog(placed, ports):
    """Verilog of a netlist; ``ports`` has our names of its ports."""
    (module,) = json.loads(placed.read_text())["modules"].values()
    lines = [f"module serial_system (input wire {CLOCK}, input wire rxd, output wire txd);"]
    wires = (bits for cell in module["cells"].values() for bits in cell["connections"].values())
    nets = {bit for bits in wires for bit in bits}
    lines += [f"  wire n{net};" for net in sorted(nets)]
    for name, port in ports.items():
        (bit,) = module["ports"][name]["bits"]
        out = port == "txd"
        lines.append(f"  assign {port} = n{bit};" if out else f"  assign n{bit} = {port};")
    for number, cell in enumerate(module["cells"].values()):
        lines += _KINDS[cell["type"]](number, _Cell(cell))
    return "\n".join([*lines, "endmodule", _memory_model()])


class _Cell:
    def __init__(self, facts):
        self.values, self._nets = facts["parameters"], facts["connections"]

    def has(self, pin):
        return bool(self._nets[pin])

    def net(self, pin, unused=0):
        return f"n{self._nets[pin][0]}" if self.has(pin) else f"1'b{unused}"

    def bus(self, name, width):
        return "{" + ", ".join(self.net(f"{name}_{bit}") for bit in reversed(range(width))) + "}"

    def outputs(self, name, width):
        bits = (
            f"n{self._nets[f'{name}_{bit}'][0]}" if self.has(f"{name}_{bit}") else None
            for bit in range(width)
        )
        return [(bit, net) for bit, net in enumerate(bits) if net]


def _logic(number, cell):
    value, table = cell.values, f"lut{number}"
    if value["ASYNC_SR"] != "0" or value["NEG_CLK"] != "0":
        raise ValueError("asynchronous resets and inverted clocks are not simulated")
    inputs = ", ".join(cell.net(f"I{index}") for index in (3, 2, 1, 0))
    yield f"  wire [15:0] init{number} = 16'b{value['LUT_INIT']};"
    yield f"  wire {table} = init{number}[{{{inputs}}}];"
    if cell.has("LO"):
        yield f"  assign {cell.net('LO')} = {table};"
    if cell.has("COUT"):
        carry = f"1'b{value['CIN_SET']}" if value["CIN_CONST"] == "1" else cell.net("CIN")
        one, two = cell.net("I1"), cell.net("I2")
        yield f"  assign {cell.net('COUT')} = ({one} & {two}) | (({one} | {two}) & {carry});"
    if not cell.has("O"):
        return
    if value["DFF_ENABLE"] == "0":
        yield f"  assign {cell.net('O')} = {table};"
        return
    yield f"  reg q{number} = 1'b0;"
    yield f"  assign {cell.net('O')} = q{number};"
    taken = f"{cell.net('SR')} ? 1'b{value['SET_NORESET']} : {table}"
    yield f"  always @(posedge {CLOCK}) if ({cell.net('CEN', 1)}) q{number} <= {taken};"


def _memory(number, cell):
    rows = (
        f".INIT_{row:X}(256'b{cell.values[f'INIT_{row:X}'].replace('x', '0')})" for row in range(16)
    )
    modes = (f".{name}(2'b{cell.values[name]})" for name in ("READ_MODE", "WRITE_MODE"))
    yield f"  wire [15:0] out{number};"
    yield f"  SB_RAM40_4K #({', '.join((*modes, *rows))}) memory{number} ("
    for side in "RW":
        yield f"    .{side}CLK({CLOCK}), .{side}CLKE({cell.net(f'{side}CLKE', 1)}),"
        yield f"    .{side}E({cell.net(f'{side}E')}), .{side}ADDR({cell.bus(f'{side}ADDR', 11)}),"
    yield f"    .MASK({cell.bus('MASK', 16)}), .WDATA({cell.bus('WDATA', 16)}),"
    yield f"    .RDATA(out{number}));"
    for bit, net in cell.outputs("RDATA", 16):
        yield f"  assign {net} = out{number}[{bit}];"


def _buffer(number, cell):
    driver = cell.net("USER_SIGNAL_TO_GLOBAL_BUFFER")
    yield f"  assign {cell.net('GLOBAL_BUFFER_OUTPUT')} = {driver};"


def _pin(number, cell):
    pin = cell.net("PACKAGE_PIN")
    if cell.has("D_IN_0"):
        yield f"  assign {cell.net('D_IN_0')} = {pin};"
    else:
        yield f"  assign {pin} = {cell.net('D_OUT_0')};"


_KINDS = {
    "ICESTORM_LC": _logic,
    "ICESTORM_RAM": _memory,
    "SB_GB": _buffer,
    "SB_IO": _pin,
}


def _memory_model():
    text = CELLS.read_text()
    start = text.index("module SB_RAM40_4K (")
    end = text.index("endmodule", start)
    model = text[start:end]
    for name in ("1", "0", "V(16'h 0000)"):
        model = model.replace(f"`ICE40_DEFAULT_ASSIGNMENT_{name}", "")
    return f"{model}endmodule\n"
