# SPDX-License-Identifier: BSD-3-Clause
"""The circuit that was read back: tables, registers and block memories between nets.

Nets are numbers; 0 and 1 are the constants. There is one clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PARITY = 1 << 14  # where parity bits begin in the contents of a memory of 18 kbit


@dataclass(frozen=True)
class Table:
    """A look-up table: bit i of ``contents`` is the output where the inputs are the number i.

    The first input is the least significant one.
    """

    output: int
    inputs: tuple[int, ...]
    contents: int


@dataclass(frozen=True)
class Register:
    """A flip-flop with enable and synchronous reset, which wins."""

    output: int
    data: int
    enable: int
    reset: int
    reset_value: int
    start: int


@dataclass(frozen=True)
class Port:
    """One side of a memory, which either reads or writes.

    Attributes
    ----------
    address : tuple of int
        Nets of the row, the least significant first.
    width : int
        Data bits of a row; row r has the bits from ``first + width * r`` on, and a parity bit for
        each 8.
    enable, reset : int
        Nets; a read that is reset takes ``reset_value``. Writes have no reset.
    data : tuple of int
        Nets of data and parity bits; 0 in a read: nothing is connected.
    first : int
        Where row 0 begins; a port of parity bits alone has `PARITY`.
    strobes : tuple of int
        Nets that must be one and the same when tables are simplified (`order.ordered`), which then
        leaves them out: a row is written as a whole.
    """

    address: tuple[int, ...]
    width: int
    enable: int
    data: tuple[int, ...]
    reset: int = 0
    reset_value: int = 0
    start: int = 0
    first: int = 0
    strobes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Memory:
    """A block memory of 18 kbit; reads see what was there before a write of the same cycle.

    Attributes
    ----------
    contents : int
        16,384 data bits, and 2,048 parity bits from `PARITY` on.
    """

    name: str
    contents: int
    reads: tuple[Port, ...]
    writes: tuple[Port, ...]


@dataclass(frozen=True)
class Netlist:
    """A circuit.

    Attributes
    ----------
    nets : int
        Number of nets.
    tables : tuple of Table
        In an order in which each comes after the tables that drive its inputs.
    inputs, outputs : mapping
        Pin of the processing system -> the net that it drives, or that drives it.
    """

    nets: int
    tables: tuple[Table, ...]
    registers: tuple[Register, ...]
    memories: tuple[Memory, ...]
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]


def reached(netlist: Netlist) -> set[int]:
    """The nets that the pins depend on."""
    drives: dict[int, tuple[int, ...]] = {one.output: one.inputs for one in netlist.tables}
    for one in netlist.registers:
        drives[one.output] = (one.data, one.enable, one.reset)
    for memory in netlist.memories:
        ports = (*memory.reads, *memory.writes)
        nets = {net for port in ports for net in (*port.address, port.enable, port.reset)}
        nets.update(net for port in memory.writes for net in port.data)
        drives |= dict.fromkeys((net for port in memory.reads for net in port.data), tuple(nets))
    left = list(netlist.outputs.values())
    found = set(left)
    while left:
        for net in drives.get(left.pop(), ()):
            if net not in found:
                found.add(net)
                left.append(net)
    return found
