# SPDX-License-Identifier: BSD-3-Clause
"""Yosys' netlist of a 7-series device -> the same form as what is read back: what place and route
was given, by the definitions of its cells (UG953).
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bonn_hw.bitstream.open.flow import top_of
from bonn_hw.bitstream.readback.boundary import CLOCKS, SYSTEM
from bonn_hw.bitstream.readback.circuit import BUFFER
from bonn_hw.bitstream.readback.frames import ReadbackFault
from bonn_hw.bitstream.readback.memories import PINS
from bonn_hw.bitstream.readback.netlist import (
    PARITY,
    Memory,
    Netlist,
    Port,
    Register,
    Table,
    reached,
)
from bonn_hw.bitstream.readback.order import ordered
from bonn_hw.bitstream.readback.slices import MUX3, XOR2

AND, OR, INVERTER = 0b1000, 0b1110, 0b01


@dataclass(frozen=True)
class Placed:
    """The netlist, the names of its nets in the RTL, and the pad of the clock, if it has one."""

    netlist: Netlist
    names: Mapping[int, str]
    clock: str | None = None


def read(file: Path, pads: Mapping[str, str] | None = None) -> Placed:
    """Read the netlist, a .json.gz file that `SevenSeries` writes beside the bitstream.

    Parameters
    ----------
    pads : mapping or None
        Port of the netlist -> the name of its pad; None: it has a processing system, and no ports.

    Raises
    ------
    ReadbackFault
        If it has a cell, or a port of a memory, that is not known here.
    """
    modules = json.loads(gzip.decompress(file.read_bytes()))["modules"]
    return _Reader(top_of(modules), pads or {}).placed()


@dataclass
class _Cell:
    """A cell; nets of a pin are ours."""

    name: str
    kind: str
    parameters: Mapping[str, str]
    pins: Mapping[str, tuple[int, ...]]

    def pin(self, name: str) -> int:
        return self.pins[name][0]

    def value(self, name: str, default: int = 0) -> int:
        """A parameter; bits that may be anything are 0, as nextpnr writes them."""
        text = self.parameters.get(name)
        return default if text is None else int(text.replace("x", "0"), 2)


@dataclass
class _Reader:
    module: Mapping[str, Any]
    pads: Mapping[str, str]
    tables: list[Table] = field(default_factory=list)
    registers: list[Register] = field(default_factory=list)
    memories: list[Memory] = field(default_factory=list)
    inputs: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)
    clock: int | None = None  # what drives its buffer

    def placed(self) -> Placed:
        nets = [bit for one in self.module["netnames"].values() for bit in one["bits"]]
        self.count = max((bit for bit in nets if isinstance(bit, int)), default=1) + 1
        for port, pad in self.pads.items():
            facts = self.module["ports"][port]
            (net,) = facts["bits"]
            (self.inputs if facts["direction"] == "input" else self.outputs)[pad] = net
        for name, facts in self.module["cells"].items():
            pins = {pin: tuple(map(_net, bits)) for pin, bits in facts["connections"].items()}
            self._read(
                _Cell(name, facts["type"], facts["parameters"], pins), facts["port_directions"]
            )
        tables, outputs, registers, memories = ordered(
            self.tables, self.outputs, self.registers, self.memories
        )
        names = {
            bit: name if len(one["bits"]) == 1 else f"{name}[{index}]"
            for name, one in self.module["netnames"].items()
            for index, bit in enumerate(one["bits"])
            if not one["hide_name"]
        }
        netlist = Netlist(self.count, tables, registers, memories, self.inputs, outputs)
        self._check_driven(netlist, names)
        return Placed(netlist, names, self._pad_of_the_clock())

    def _pad_of_the_clock(self) -> str | None:
        drivers = {one.output: one.inputs[0] for one in self.tables if one.contents == BUFFER}
        pads = {net: pad for pad, net in self.inputs.items() if pad in self.pads.values()}
        return pads.get(drivers.get(self.clock or 0, 0))

    @staticmethod
    def _check_driven(netlist: Netlist, names: Mapping[int, str]) -> None:
        driven = {0, 1, *netlist.inputs.values(), *(one.output for one in netlist.registers)}
        driven.update(one.output for one in netlist.tables)
        driven.update(net for one in netlist.memories for read in one.reads for net in read.data)
        loose = sorted(reached(netlist) - driven)
        if loose:
            name = names.get(loose[0], f"net {loose[0]}")
            raise ReadbackFault(f"nothing drives {name} in the netlist")

    def _read(self, cell: _Cell, directions: Mapping[str, str]) -> None:
        if re.fullmatch(r"LUT[1-6]", cell.kind):
            inputs = tuple(cell.pin(f"I{index}") for index in range(int(cell.kind[3:])))
            self._table(cell.pin("O"), inputs, cell.value("INIT"))
        elif cell.kind in ("IBUF", "OBUF"):
            self._table(cell.pin("O"), (cell.pin("I"),), BUFFER)
        elif cell.kind == "INV":
            self._table(cell.pin("O"), (cell.pin("I"),), INVERTER)
        elif cell.kind in ("MUXF7", "MUXF8"):
            inputs = (cell.pin("I0"), cell.pin("I1"), cell.pin("S"))
            self._table(cell.pin("O"), inputs, MUX3)
        elif cell.kind == "CARRY4":
            self._carry(cell)
        elif cell.kind in ("FDRE", "FDSE"):
            reset, value = ("S", 1) if cell.kind == "FDSE" else ("R", 0)
            nets = (cell.pin("Q"), cell.pin("D"), cell.pin("CE"), cell.pin(reset))
            self.registers.append(Register(*nets, value, cell.value("INIT")))
        elif cell.kind in ("RAMB18E1", "RAMB36E1"):
            self.memories += self._halves(cell)
        elif cell.kind == SYSTEM:
            for pin, bits in cell.pins.items():
                side = self.inputs if directions[pin] == "output" else self.outputs
                if CLOCKS.fullmatch(pin):
                    continue  # `circuit` checks the clock of what is read back
                numbered = (f"{pin}{index}" for index in range(len(bits)))
                side.update(zip(numbered if len(bits) > 1 else (pin,), bits, strict=True))
        elif cell.kind == "BUFG":
            self.clock = cell.pin("I")
        else:
            raise ReadbackFault(f"the netlist has the cell {cell.name}, a {cell.kind}")

    def _table(self, output: int, inputs: tuple[int, ...], contents: int) -> None:
        self.tables.append(Table(output, inputs, contents))

    def _new(self, inputs: tuple[int, ...], contents: int) -> int:
        self.count += 1
        self._table(self.count - 1, inputs, contents)
        return self.count - 1

    def _carry(self, cell: _Cell) -> None:
        carry = self._new((cell.pin("CI"), cell.pin("CYINIT")), OR)
        for index in range(4):
            data, choice = cell.pins["DI"][index], cell.pins["S"][index]
            self._table(cell.pins["O"][index], (choice, carry), XOR2)
            self._table(cell.pins["CO"][index], (data, carry, choice), MUX3)
            carry = cell.pins["CO"][index]

    def _halves(self, cell: _Cell) -> Iterator[Memory]:
        """The halves of 18 kbit: of a whole memory the first has the even bits."""
        halves = 2 if cell.kind == "RAMB36E1" else 1
        data = sum(cell.value(f"INIT_{row:02X}") << 256 * row for row in range(64 * halves))
        parity = sum(cell.value(f"INITP_{row:02X}") << 256 * row for row in range(8 * halves))
        for half in range(halves):
            contents = _every(data, half, halves) | _every(parity, half, halves) << PARITY
            reads = tuple(one for port in "AB" for one in self._reads(cell, port, half, halves))
            writes = tuple(one for port in "AB" for one in self._writes(cell, port, half, halves))
            yield Memory(f"{cell.name} {half}", contents, reads, writes)

    def _port(
        self, cell: _Cell, port: str, width: int, kinds: tuple[int, int], half: int, halves: int
    ) -> tuple[tuple[int, ...], int, tuple[int, ...]]:
        """Address, data bits of a row of the half, and the nets of its data and parity bits."""
        bits = width // 9 * 8 or width
        if bits < halves:
            raise ReadbackFault(f"the memory {cell.name} of the netlist has a port of one bit")
        nets = tuple[int, ...]()
        # A parity bit belongs to eight data bits of a half: a whole memory has none at width 9.
        for kind, count in zip(kinds, (bits, bits // halves // 8 * halves), strict=True):
            sides = "AB" if width == 36 * halves else port
            whole = [net for side in sides for net in cell.pins[PINS[side][kind]]]
            nets += tuple(whole[half:count:halves])
        low = bits.bit_length() - 1
        return cell.pins[PINS[port][0]][low : 13 + halves], bits // halves, nets

    def _reads(self, cell: _Cell, port: str, half: int, halves: int) -> Iterator[Port]:
        width, enable = cell.value(f"READ_WIDTH_{port}"), cell.pin(PINS[port][1])
        if width and enable:
            address, bits, nets = self._port(cell, port, width, (6, 7), half, halves)
            yield Port(address, bits, enable, nets, cell.pin(PINS[port][3]))

    def _writes(self, cell: _Cell, port: str, half: int, halves: int) -> Iterator[Port]:
        width, enable = cell.value(f"WRITE_WIDTH_{port}"), cell.pin(PINS[port][1])
        wide = width == 36 * halves  # all of WEBWE, of which others have the first ones
        strobes = set(cell.pins[PINS[port][2]][: None if wide else 2 * halves])
        if width and enable and strobes != {0}:
            if len(strobes) > 1:
                raise ReadbackFault(f"the memory {cell.name} of the netlist writes parts of rows")
            address, bits, nets = self._port(cell, port, width, (4, 5), half, halves)
            yield Port(address, bits, self._new((enable, strobes.pop()), AND), nets)


def _net(bit: int | str) -> int:
    """Our net of Yosys' bit: its numbers begin with 2; what may be anything is 0."""
    return bit if isinstance(bit, int) else int(bit == "1")


def _every(bits: int, first: int, step: int) -> int:
    """Every ``step``-th bit from ``first`` on."""
    return bits if step == 1 else int(f"{bits:0{1 << 16}b}"[::-1][first::step][::-1], 2)
