# SPDX-License-Identifier: BSD-3-Clause
"""Yosys' netlist of a 7-series device -> the same form as what is read back: what place and route
was given, by the definitions of its cells (UG953).
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bonn_hw.bitstream.open.flow import top_of
from bonn_hw.bitstream.readback.boundary import CLOCKS, SYSTEM
from bonn_hw.bitstream.readback.circuit import BUFFER
from bonn_hw.bitstream.readback.frames import ReadbackFault
from bonn_hw.bitstream.readback.netlist import Netlist, Register, reached
from bonn_hw.bitstream.readback.order import ordered
from bonn_hw.bitstream.readback.placed_memories import BlockMemory, Cell, Growing
from bonn_hw.bitstream.readback.slices import MUX3, XOR2

OR, INVERTER = 0b1110, 0b01


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
class _Reader:
    module: Mapping[str, Any]
    pads: Mapping[str, str]
    parts: Growing = field(default_factory=Growing)
    inputs: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)
    clock: int | None = None  # what drives its buffer

    def placed(self) -> Placed:
        nets = [bit for one in self.module["netnames"].values() for bit in one["bits"]]
        self.parts.nets = max((bit for bit in nets if isinstance(bit, int)), default=1) + 1
        for port, pad in self.pads.items():
            facts = self.module["ports"][port]
            (net,) = facts["bits"]
            (self.inputs if facts["direction"] == "input" else self.outputs)[pad] = net
        for name, facts in self.module["cells"].items():
            pins = {pin: tuple(map(_net, bits)) for pin, bits in facts["connections"].items()}
            self._read(
                Cell(name, facts["type"], facts["parameters"], pins), facts["port_directions"]
            )
        tables, outputs, registers, memories = ordered(
            self.parts.tables, self.outputs, self.parts.registers, self.parts.memories
        )
        names = {
            bit: name if len(one["bits"]) == 1 else f"{name}[{index}]"
            for name, one in self.module["netnames"].items()
            for index, bit in enumerate(one["bits"])
            if not one["hide_name"]
        }
        netlist = Netlist(self.parts.nets, tables, registers, memories, self.inputs, outputs)
        self._check_driven(netlist, names)
        return Placed(netlist, names, self._pad_of_the_clock())

    def _pad_of_the_clock(self) -> str | None:
        drivers = {one.output: one.inputs[0] for one in self.parts.tables if one.contents == BUFFER}
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

    def _read(self, cell: Cell, directions: Mapping[str, str]) -> None:
        if re.fullmatch(r"LUT[1-6]", cell.kind):
            inputs = tuple(cell.pin(f"I{index}") for index in range(int(cell.kind[3:])))
            self.parts.table(inputs, cell.value("INIT"), cell.pin("O"))
        elif cell.kind in ("IBUF", "OBUF"):
            self.parts.table((cell.pin("I"),), BUFFER, cell.pin("O"))
        elif cell.kind == "INV":
            self.parts.table((cell.pin("I"),), INVERTER, cell.pin("O"))
        elif cell.kind in ("MUXF7", "MUXF8"):
            inputs = (cell.pin("I0"), cell.pin("I1"), cell.pin("S"))
            self.parts.table(inputs, MUX3, cell.pin("O"))
        elif cell.kind == "CARRY4":
            self._carry(cell)
        elif cell.kind in ("FDRE", "FDSE"):
            reset, value = ("S", 1) if cell.kind == "FDSE" else ("R", 0)
            nets = (cell.pin("Q"), cell.pin("D"), cell.pin("CE"), cell.pin(reset))
            self.parts.registers.append(Register(*nets, value, cell.value("INIT")))
        elif cell.kind in ("RAMB18E1", "RAMB36E1"):
            BlockMemory(cell, self.parts).add()
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

    def _carry(self, cell: Cell) -> None:
        carry = self.parts.table((cell.pin("CI"), cell.pin("CYINIT")), OR)
        for index in range(4):
            data, choice = cell.pins["DI"][index], cell.pins["S"][index]
            self.parts.table((choice, carry), XOR2, cell.pins["O"][index])
            self.parts.table((data, carry, choice), MUX3, cell.pins["CO"][index])
            carry = cell.pins["CO"][index]


def _net(bit: int | str) -> int:
    """Our net of Yosys' bit: its numbers begin with 2; what may be anything is 0."""
    return bit if isinstance(bit, int) else int(bit == "1")
