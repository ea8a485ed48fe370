# SPDX-License-Identifier: BSD-3-Clause
"""Block memories of Yosys' netlist, by the definitions of RAMB18E1 and RAMB36E1 (UG473, UG953)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bonn_hw.bitstream.readback.memories import ODD_BITS, PINS, SIMPLE, OddBit
from bonn_hw.bitstream.readback.netlist import PARITY, Memory, Port, Register, Table
from bonn_hw.bitstream.readback.slices import MUX3

AND = 0b1000
AND_NOT_THIRD, AND_THIRD = 0b1000, 0b1000_0000  # of three inputs
WHOLE_ODD_BITS = {1: ODD_BITS[1], 9: ODD_BITS[4]}  # by the width of a whole memory's port


@dataclass(frozen=True)
class Cell:
    """A cell of the netlist.

    Attributes
    ----------
    pins : mapping
        Name -> its nets, the least significant bit first.
    """

    name: str
    kind: str
    parameters: Mapping[str, str]
    pins: Mapping[str, tuple[int, ...]]

    def pin(self, name: str) -> int:
        """The net of a pin, or of its first bit."""
        return self.pins[name][0]

    def value(self, name: str, default: int = 0) -> int:
        """A parameter; bits that may be anything are 0, as nextpnr writes them."""
        text = self.parameters.get(name)
        return default if text is None else int(text.replace("x", "0"), 2)


@dataclass
class Growing:
    """A netlist that grows: how many nets it has, and its parts."""

    nets: int = 2  # the constants
    tables: list[Table] = field(default_factory=list)
    registers: list[Register] = field(default_factory=list)
    memories: list[Memory] = field(default_factory=list)

    def net(self) -> int:
        """A new net."""
        self.nets += 1
        return self.nets - 1

    def table(self, inputs: tuple[int, ...], contents: int, output: int | None = None) -> int:
        """Add a table, of a new net if none is given; returns its net."""
        net = self.net() if output is None else output
        self.tables.append(Table(net, inputs, contents))
        return net


@dataclass(frozen=True)
class BlockMemory:
    """A block memory of 36 or 18 kbit, and the netlist that it is added to."""

    cell: Cell
    netlist: Growing

    @property
    def halves(self) -> int:
        """How many halves of 18 kbit it is."""
        return 2 if self.cell.kind == "RAMB36E1" else 1

    def add(self) -> None:
        """Add its halves of 18 kbit: of a whole memory the first has the even bits."""
        cell, halves = self.cell, self.halves
        data = sum(cell.value(f"INIT_{row:02X}") << 256 * row for row in range(64 * halves))
        parity = sum(cell.value(f"INITP_{row:02X}") << 256 * row for row in range(8 * halves))
        ports = [ports(port) for ports in (self._reads, self._writes) for port in "AB"]
        for half in range(halves):
            contents = _every(data, half, halves) | _every(parity, half, halves) << PARITY
            reads = tuple(one for side in ports[:2] for one in side[half])
            writes = tuple(one for side in ports[2:] for one in side[half])
            self.netlist.memories.append(Memory(f"{cell.name} {half}", contents, reads, writes))

    def _reads(self, port: str) -> list[list[Port]]:
        """The reads of each half by a port."""
        width, enable = self.cell.value(f"READ_WIDTH_{port}"), self.cell.pin(PINS[port][1])
        found: list[list[Port]] = [[] for _ in range(self.halves)]
        if not (width and enable):
            return found
        reset = self.cell.pin(PINS[port][3])
        nets = self._pins(port, width, 6), self._pins(port, width, 7)
        values = [self._values(name, port, width) for name in ("SRVAL", "INIT")]
        for half, ports in enumerate(found if self._alike(width) else ()):
            address, bits = self._rows(port, width)
            to, start = (_number(self._row(value, width, half)) for value in values)
            ports.append(
                Port(address, bits, enable, self._row(nets, width, half), reset, to, start)
            )
        if (odd := self._odd(width)) is not None:
            address, which = self._odd_rows(port, odd)
            place = int(odd.first == PARITY)  # among data pins, or parity pins
            chosen, own = self.netlist.net(), [self.netlist.net() for _ in found]
            self.netlist.registers.append(Register(chosen, which, enable, 0, 0, 0))
            self.netlist.table((*own, chosen), MUX3, nets[place][0])
            to, start = (value[place][0] for value in values)
            for net, ports in zip(own, found, strict=True):
                ports.append(Port(address, 1, enable, (net,), reset, to, start, odd.first))
        return found

    def _writes(self, port: str) -> list[list[Port]]:
        """The writes of each half by a port."""
        width, enable = self.cell.value(f"WRITE_WIDTH_{port}"), self.cell.pin(PINS[port][1])
        wide = width == SIMPLE * self.halves  # all of WEBWE, of which others have the first ones
        strobes = self.cell.pins[PINS[port][2]][: None if wide else 2 * self.halves]
        found: list[list[Port]] = [[] for _ in range(self.halves)]
        if not (width and enable and any(strobes)):
            return found
        both = (enable, strobes[0])
        nets = self._pins(port, width, 4), self._pins(port, width, 5)
        for half, ports in enumerate(found if self._alike(width) else ()):
            address, bits = self._rows(port, width)
            net = self.netlist.table(both, AND)
            row = self._row(nets, width, half)
            ports.append(Port(address, bits, net, row, strobes=strobes))
        if (odd := self._odd(width)) is not None:
            address, which = self._odd_rows(port, odd)
            data = nets[odd.first == PARITY][:1]
            for half, ports in enumerate(found):
                net = self.netlist.table((*both, which), AND_NOT_THIRD if not half else AND_THIRD)
                ports.append(Port(address, 1, net, data, first=odd.first, strobes=strobes))
        return found

    def _alike(self, width: int) -> bool:
        """Whether rows have bits in all halves."""
        return width >= self.halves

    def _odd(self, width: int) -> OddBit | None:
        """The bit of a row that only one half has, if there is one."""
        return WHOLE_ODD_BITS.get(width) if self.halves == 2 else None

    def _rows(self, port: str, width: int) -> tuple[tuple[int, ...], int]:
        """Address of a half's rows, and their data bits."""
        bits = _data_bits(width)
        return self._address(port, bits.bit_length() - 1), bits // self.halves

    def _odd_rows(self, port: str, odd: OddBit) -> tuple[tuple[int, ...], int]:
        """Address of a half's odd bits, and the net that says which half."""
        which, *address = self._address(port, odd.low)
        return tuple(address), which

    def _address(self, port: str, low: int) -> tuple[int, ...]:
        return self.cell.pins[PINS[port][0]][low : 13 + self.halves]

    def _pins(self, port: str, width: int, kind: int) -> tuple[int, ...]:
        return tuple(
            net for side in self._sides(port, width) for net in self.cell.pins[PINS[side][kind]]
        )

    def _values(self, name: str, port: str, width: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Bits of a parameter, as the data pins and as the parity pins are."""
        data, parity = list[int](), list[int]()
        for side in self._sides(port, width):
            value = self.cell.value(f"{name}_{side}")
            bits = [value >> bit & 1 for bit in range(18 * self.halves)]
            data += bits[: 16 * self.halves]
            parity += bits[16 * self.halves :]
        return tuple(data), tuple(parity)

    def _sides(self, port: str, width: int) -> str:
        return "AB" if width == SIMPLE * self.halves else port

    def _row(
        self, whole: tuple[tuple[int, ...], tuple[int, ...]], width: int, half: int
    ) -> tuple[int, ...]:
        """What a half has of a row's data and parity bits."""
        bits, (data, parity) = _data_bits(width), whole
        each = bits // self.halves // 8  # parity bits of a half
        return data[half : bits : self.halves] + parity[half : each * self.halves : self.halves]


def _data_bits(width: int) -> int:
    return width // 9 * 8 or width


def _number(bits: tuple[int, ...]) -> int:
    return sum(bit << place for place, bit in enumerate(bits))


def _every(bits: int, first: int, step: int) -> int:
    """Every ``step``-th bit from ``first`` on."""
    return bits if step == 1 else int(f"{bits:0{1 << 16}b}"[::-1][first::step][::-1], 2)
