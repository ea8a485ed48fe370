# SPDX-License-Identifier: BSD-3-Clause
"""What data decide and control need not: constants at an address of data, and enables of data.

Such a constant memory becomes multiplexers, and such an enable one before the register. Then every
memory's address and every register's enable is control, unless the design is refused.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace

from bonn_hw.sliced.netlist import ONE, ZERO, Gate, Memory, Net, Netlist, Read, Register

AND, OR, LATER_ONLY, EITHER_NOT = 0b1000, 0b1110, 0b0100, 0b1101  # a & b, a | b, ~a & b, ~a | b


@dataclass
class _Gates:
    """New gates; functions of an address that are equal are one net."""

    fresh: Net
    gates: list[Gate] = field(default_factory=list)

    def add(self, table: int, *inputs: Net) -> Net:
        """A gate, and its output."""
        self.gates.append(Gate(inputs, self.fresh, table))
        self.fresh += 1
        return self.fresh - 1

    def choose(self, select: Net, low: Net, high: Net) -> Net:
        """``high`` where ``select`` is set, else ``low``."""
        if low == high:
            return low
        if low == ZERO:
            return select if high == ONE else self.add(AND, select, high)
        if high == ONE:
            return self.add(OR, select, low)
        if high == ZERO:
            return self.add(LATER_ONLY, select, low)
        if low == ONE:
            return self.add(EITHER_NOT, select, high)
        return self.add(OR, self.add(AND, select, high), self.add(LATER_ONLY, select, low))

    def constant(self, address: Sequence[Net], table: bytes, known: dict[bytes, Net]) -> Net:
        """The byte of a table at an address, 0 or 1."""
        if not table.strip(b"\0"):
            return ZERO
        if not table.strip(b"\1"):
            return ONE
        if table not in known:
            half = len(table) // 2
            low, high = (
                self.constant(address[:-1], part, known) for part in (table[:half], table[half:])
            )
            known[table] = self.choose(address[-1], low, high)
        return known[table]


def without(netlist: Netlist, data: Container[Net]) -> Netlist:
    """Replace the lookups and enables that depend on data."""
    new = _Gates(netlist.highest + 1)
    registers: list[Register] = []
    for one in netlist.registers:
        if one.enable in data:
            next_value = new.choose(one.enable, one.output, one.data)
            registers.append(replace(one, data=next_value, enable=ONE))
        else:
            registers.append(one)
    used = _used(netlist)
    memories: list[Memory] = []
    for memory in netlist.memories:
        looked_up = [
            read
            for read in memory.reads
            if not memory.writes and any(net in data for net in read.address)
        ]
        for read in looked_up:
            registers += _multiplexed(new, memory, read, used)
        left = tuple(read for read in memory.reads if read not in looked_up)
        if left or not looked_up:
            memories.append(replace(memory, reads=left))
    gates = (*netlist.gates, *new.gates)
    return replace(netlist, gates=gates, registers=tuple(registers), memories=tuple(memories))


def _multiplexed(new: _Gates, memory: Memory, read: Read, used: Container[Net]) -> list[Register]:
    """The gates of a read port, and the registers that hold its word."""
    registers: list[Register] = []
    known: dict[bytes, Net] = {}
    for bit, net in enumerate(read.data):
        if net in used:
            table = memory.start[:, bit].tobytes().ljust(1 << len(read.address), b"\0")
            value = new.constant(read.address, table, known)
            if read.enable is None:
                new.gates.append(Gate((value,), net, 0b10))
            else:
                registers.append(Register(value, net, read.enable, 0))
    return registers


def _used(netlist: Netlist) -> set[Net]:
    """The nets that anything reads."""
    used = {net for gate in netlist.gates for net in gate.inputs}
    used |= {net for one in netlist.registers for net in (one.data, one.enable)}
    used |= {net for nets in netlist.ports.values() for net in nets}
    for memory in netlist.memories:
        for port in memory.ports:
            used |= {*port.address, *(() if port.enable is None else (port.enable,))}
        used |= {net for write in memory.writes for net in write.data}
    return used
