# SPDX-License-Identifier: BSD-3-Clause
"""A circuit at a serial line with block memories of every width, on each side, read and written."""

import random

WIDTHS = {"RAMB18E1": (1, 2, 4, 9, 18), "RAMB36E1": (1, 2, 4, 9, 18, 36)}
SIMPLE = {"RAMB18E1": 36, "RAMB36E1": 72}  # of ports with the data pins of both sides
LOW = "1'b0"
INPUTS = 64  # nets that the line's last bits drive


def verilog(seed=1):
    """Verilog of `serial_system`: the line is shifted in, and all outputs' parity is sent."""
    rng = random.Random(seed)
    lines = [
        "module serial_system (input wire clk, input wire rxd, output reg txd);",
        f"  reg [{INPUTS - 1}:0] in;",
        "  always @(posedge clk) in <= {in, rxd};",
    ]
    seen = []
    for kind, widths in WIDTHS.items():
        reads_and_writes = [(one, rng.choice(widths)) for one in widths]
        pairs = [(side, *pair) for side in "AB" for pair in reads_and_writes]
        pairs += [("A", SIMPLE[kind], SIMPLE[kind])]
        for side, read, write in pairs:
            name = f"m{len(seen)}"
            lines += _memory(rng, kind, name, side, read, write)
            seen.append(f"{name}_seen")
    lines += [f"  always @(posedge clk) txd <= ^{{{', '.join(seen)}}};", "endmodule", ""]
    return "\n".join(lines)


def _memory(rng, kind, name, side, read, write):
    """A memory that one side reads and the other one writes, or the same with both's pins."""
    halves = 1 + (kind == "RAMB36E1")
    other = "B" if side == "A" else "A"
    rows = {f"INIT_{row:02X}": rng.getrandbits(256) for row in range(64 * halves)}
    rows |= {f"INITP_{row:02X}": rng.getrandbits(256) for row in range(8 * halves)}
    parameters = [f".{row}(256'h{value:064x})" for row, value in rows.items()]
    parameters += [f".READ_WIDTH_{side}({read})", f".WRITE_WIDTH_{other}({write})"]
    parameters += [f".READ_WIDTH_{other}(0)", f".WRITE_WIDTH_{side}(0)"]
    parameters += [f'.WRITE_MODE_{one}("READ_FIRST")' for one in "AB"]
    parameters += [f'.RAM_MODE("{"SDP" if read == SIMPLE[kind] else "TDP"}")']
    addresses = {"A": "ADDRARDADDR", "B": "ADDRBWRADDR"}
    writes = {"A": ("WEA", 2 * halves), "B": ("WEBWE", 4 * halves)}
    pins = [f".{addresses[one]}({_bus(rng, 14 + 2 * (halves > 1))})" for one in "AB"]
    pins += [".CLKARDCLK(clk), .CLKBWRCLK(clk)"]
    reset = {"A": "RSTRAMARSTRAM", "B": "RSTRAMB"}[side]
    for pin in ("REGCEAREGCE", "REGCEB", "RSTREGARSTREG", "RSTREGB", "RSTRAMARSTRAM", "RSTRAMB"):
        pins.append(f".{pin}({_bus(rng, 1) if pin == reset else LOW})")
    pins += [f".ENARDEN({_bus(rng, 1)}), .ENBWREN({_bus(rng, 1)})"]
    for one, (pin, bits) in writes.items():
        strobe = _bus(rng, 1)[1:-1] if one == other else LOW
        pins.append(f".{pin}({{{bits}{{{strobe}}}}})")
    outputs = []
    for one in "AB":
        pins.append(f".DI{one}DI({_bus(rng, 16 * halves)}), .DIP{one}DIP({_bus(rng, 2 * halves)})")
        lines = (f"{name}_d{one}", 16 * halves), (f"{name}_p{one}", 2 * halves)
        outputs += lines
        pins.append(f".DO{one}DO({lines[0][0]}), .DOP{one}DOP({lines[1][0]})")
    yield from (f"  wire [{bits - 1}:0] {net};" for net, bits in outputs)
    yield f"  {kind} #({', '.join(parameters)}) {name} ({', '.join(pins)});"
    yield f"  reg {name}_seen;"
    bits = ", ".join(_read(name, side, read, halves))
    yield f"  always @(posedge clk) {name}_seen <= ^{{{bits}}};"


def _read(name, side, width, halves):
    """The output pins that a read of this width drives."""
    sides = "AB" if width == 36 * halves else side
    bits = (width // 9 * 8 or width) // len(sides)
    for one in sides:
        yield f"{name}_d{one}[{bits - 1}:0]"
        if bits >= 8:
            yield f"{name}_p{one}[{bits // 8 - 1}:0]"


def _bus(rng, bits):
    return f"{{{', '.join(f'in[{one}]' for one in rng.choices(range(INPUTS), k=bits))}}}"
