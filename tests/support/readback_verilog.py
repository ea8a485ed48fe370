# SPDX-License-Identifier: BSD-3-Clause
"""A netlist that was read back from a bitstream -> Verilog with the ports of `serial_system`."""

from bonn_hw.bitstream.readback.netlist import PARITY

CLOCK = "clk"


def verilog(netlist, ports):
    """Verilog of a netlist without ports of memories wider than 18 bits; ``ports``: pad -> port."""
    lines = [f"module serial_system (input wire {CLOCK}, input wire rxd, output wire txd);"]
    lines += [f"  wire n{net};" for net in range(2, netlist.nets)]
    lines += ["  wire n0 = 1'b0, n1 = 1'b1;"]
    lines += [f"  assign n{net} = {ports[pad]};" for pad, net in netlist.inputs.items()]
    lines += [f"  assign {ports[pad]} = n{net};" for pad, net in netlist.outputs.items()]
    for number, one in enumerate(netlist.tables):
        size = 1 << len(one.inputs)
        lines += [
            f"  wire [{size - 1}:0] t{number} = {size}'h{one.contents:x};",
            f"  assign n{one.output} = t{number}[{_bus(one.inputs)}];",
        ]
    for number, one in enumerate(netlist.registers):
        lines += [
            f"  reg q{number} = 1'b{one.start};",
            f"  assign n{one.output} = q{number};",
            f"  always @(posedge {CLOCK})",
            f"    if (n{one.reset}) q{number} <= 1'b{one.reset_value};",
            f"    else if (n{one.enable}) q{number} <= n{one.data};",
        ]
    for number, one in enumerate(netlist.memories):
        lines += _memory(f"m{number}", one)
    return "\n".join([*lines, "endmodule", ""])


def _memory(name, memory):
    """Its bits are one vector: data, then parity; a write comes after the reads of its cycle."""
    bits = PARITY + PARITY // 8
    yield f"  reg [{bits - 1}:0] {name} = {bits}'h{memory.contents:x};"
    for number, port in enumerate(memory.reads):
        places = _places(port)
        word = f"{name}_r{number}"
        yield f"  reg [{len(places) - 1}:0] {word} = {len(places)}'h{port.start:x};"
        chosen = ", ".join(f"{name}[{place}]" for place in reversed(places))
        yield f"  always @(posedge {CLOCK}) if (n{port.enable})"
        yield f"    {word} <= n{port.reset} ? {len(places)}'h{port.reset_value:x} : {{{chosen}}};"
        for bit, net in enumerate(port.data):
            if net > 1:
                yield f"  assign n{net} = {word}[{bit}];"
    for port in memory.writes:
        yield f"  always @(posedge {CLOCK}) if (n{port.enable}) begin"
        for place, net in zip(_places(port), port.data, strict=True):
            yield f"    {name}[{place}] <= n{net};"
        yield "  end"


def _places(port):
    """Of each data and parity bit of the port: where it is in the memory's vector."""
    row = f"{{18'd0, {_bus(port.address)[1:-1]}}}"
    data = [f"{port.first} + {row} * {port.width} + {bit}" for bit in range(port.width)]
    parity = range(len(port.data) - port.width)
    return data + [f"{PARITY} + {row} * {port.width // 8} + {bit}" for bit in parity]


def _bus(nets):
    return "{" + ", ".join(f"n{net}" for net in reversed(nets)) + "}"
