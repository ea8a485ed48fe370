# SPDX-License-Identifier: BSD-3-Clause
"""A netlist of gates of two or three inputs, registers and memories, as Yosys writes it in JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonn_hw.errors import UserError

Net = int
ZERO: Net = 0
ONE: Net = 1
CONSTANTS = {"0": ZERO, "1": ONE, "x": ZERO, "z": ZERO}  # Yosys numbers nets from 2 on
TABLES = {  # of Yosys' gates, as in `Gate`
    "$_NOT_": 0b01, "$_AND_": 0b1000, "$_NAND_": 0b0111, "$_OR_": 0b1110, "$_NOR_": 0b0001,
    "$_XOR_": 0b0110, "$_XNOR_": 0b1001, "$_ANDNOT_": 0b0010, "$_ORNOT_": 0b1011,
}  # fmt: skip


@dataclass(frozen=True)
class Gate:
    """A function of at most three nets: bit i of ``table`` is its value where they read i.

    The first input is the lowest bit of i.
    """

    inputs: tuple[Net, ...]
    output: Net
    table: int

    @property
    def outputs(self) -> tuple[Net, ...]:
        """Its output, as a tuple."""
        return (self.output,)


@dataclass(frozen=True)
class Register:
    """A flip-flop. An enable of `ONE` is none; ``start`` is its value before the first clock."""

    data: Net
    output: Net
    enable: Net
    start: int


@dataclass(frozen=True)
class Read:
    """A read port. Without an enable, the word follows the address at once.

    A read in the cycle of a write to the same word gives the old word; a ``transparent`` one, the
    new word.
    """

    address: tuple[Net, ...]
    data: tuple[Net, ...]
    enable: Net | None
    transparent: bool = False


@dataclass(frozen=True)
class Write:
    """A write port, of whole words."""

    address: tuple[Net, ...]
    data: tuple[Net, ...]
    enable: Net


@dataclass(frozen=True, eq=False)
class Memory:
    """A memory: ``start`` holds its words before the first clock, uint8 ``(depth, width)``."""

    name: str
    start: NDArray[np.uint8]
    reads: tuple[Read, ...]
    writes: tuple[Write, ...]

    @property
    def ports(self) -> tuple[Read | Write, ...]:
        """All ports, reads before writes."""
        return (*self.reads, *self.writes)

    @property
    def width(self) -> int:
        """Bits of a word."""
        return int(self.start.shape[1])

    @property
    def depth(self) -> int:
        """Words."""
        return int(self.start.shape[0])


@dataclass(frozen=True, eq=False)
class Netlist:
    """A flat module.

    Attributes
    ----------
    ports : mapping
        The nets of each port, and of the wire ``probe`` if there is one; lowest bit first.
    names : mapping
        What the RTL calls a net, where it has a name for it.
    """

    gates: tuple[Gate, ...]
    registers: tuple[Register, ...]
    memories: tuple[Memory, ...]
    ports: Mapping[str, tuple[Net, ...]]
    names: Mapping[Net, str]

    @cached_property
    def fan_in(self) -> int:
        """The most inputs of a gate, 2 or 3."""
        return max((2, *(len(gate.inputs) for gate in self.gates)))

    @property
    def highest(self) -> Net:
        """The highest net."""
        outputs = [gate.output for gate in self.gates]
        outputs += [register.output for register in self.registers]
        outputs += [net for one in self.memories for read in one.reads for net in read.data]
        return max((*outputs, *(net for nets in self.ports.values() for net in nets)))


def read(module: Mapping[str, Any]) -> Netlist:
    """Read a module of Yosys' JSON form.

    Raises
    ------
    UserError
        If a memory has a form that is not simulated here.
    ValueError
        If a cell has an unknown type.
    """
    gates, registers, memories = [], [], []
    starts = _starts(module)
    for name, cell in module["cells"].items():
        kind, pins = cell["type"], {pin: _nets(bits) for pin, bits in cell["connections"].items()}
        if kind in TABLES:
            inputs = (*pins["A"], *pins.get("B", ()))
            gates.append(Gate(inputs, pins["Y"][0], TABLES[kind]))
        elif kind == "$lut":
            table = _number(cell["parameters"]["LUT"])
            gates.append(Gate(pins["A"], pins["Y"][0], table))
        elif kind in ("$_DFF_P_", "$_DFFE_PP_"):
            output = pins["Q"][0]
            enable = pins["E"][0] if "E" in pins else ONE
            registers.append(Register(pins["D"][0], output, enable, starts.get(output, 0)))
        elif kind == "$mem_v2":
            memories.append(_memory(name, cell["parameters"], pins))
        elif kind != "$scopeinfo":
            raise ValueError(f"cells of type {kind} are not known")
    ports = {name: _nets(port["bits"]) for name, port in module["ports"].items()}
    ports["probe"] = _nets(module["netnames"].get("probe", {"bits": ()})["bits"])
    return Netlist(tuple(gates), tuple(registers), tuple(memories), ports, _names(module))


def _nets(bits: Sequence[int | str]) -> tuple[Net, ...]:
    return tuple(CONSTANTS[bit] if isinstance(bit, str) else bit for bit in bits)


def _number(bits: str) -> int:
    return int(bits.replace("x", "0").replace("z", "0") or "0", 2)


def _starts(module: Mapping[str, Any]) -> dict[Net, int]:
    """The values that the RTL gives registers at the start."""
    found = {}
    for one in module["netnames"].values():
        init = one["attributes"].get("init", "")
        for net, value in zip(_nets(one["bits"]), reversed(init), strict=False):
            if value in "01":
                found[net] = int(value)
    return found


def _names(module: Mapping[str, Any]) -> dict[Net, str]:
    """The shortest name of each net that has one in the RTL."""
    names: dict[Net, str] = {}
    for name, one in module["netnames"].items():
        if one.get("hide_name") or name.startswith("$"):
            continue
        nets = _nets(one["bits"])
        for place, net in enumerate(nets):
            given = f"{name}[{place}]" if len(nets) > 1 else name
            if net not in names or len(given) < len(names[net]):
                names[net] = given
    return names


def _memory(
    name: str, parameters: Mapping[str, str], pins: Mapping[str, tuple[Net, ...]]
) -> Memory:
    number = {key: _number(value) for key, value in parameters.items() if key != "MEMID"}
    width, depth, bits = number["WIDTH"], number["SIZE"], number["ABITS"]
    name = parameters["MEMID"].removeprefix("\\") or name
    unusual = [
        number["OFFSET"],
        *(net for pin in ("RD_ARST", "RD_SRST") for net in pins[pin]),
    ]
    reads, writes = [], []
    for port in range(number["RD_PORTS"]):
        synchronous = number["RD_CLK_ENABLE"] >> port & 1
        reads.append(
            Read(
                pins["RD_ADDR"][port * bits : (port + 1) * bits],
                pins["RD_DATA"][port * width : (port + 1) * width],
                pins["RD_EN"][port] if synchronous else None,
                bool(number["RD_TRANSPARENCY_MASK"] >> port & 1),  # of the one write port
            )
        )
    for port in range(number["WR_PORTS"]):
        enables = set(pins["WR_EN"][port * width : (port + 1) * width])
        unusual.append(len(enables) > 1)
        writes.append(
            Write(
                pins["WR_ADDR"][port * bits : (port + 1) * bits],
                pins["WR_DATA"][port * width : (port + 1) * width],
                enables.pop(),
            )
        )
    if any(unusual) or len(writes) > 1:
        raise UserError(
            f"simulate: the memory {name} has resets, several write ports, or writes parts of a "
            "word, which the bit-sliced engine does not simulate: choose --engine verilator"
        )
    image = parameters["INIT"].replace("x", "0").encode()[::-1].ljust(width * depth, b"0")
    start = (np.frombuffer(image, np.uint8)[: width * depth] - ord("0")).reshape(depth, width)
    return Memory(name, start, tuple(reads), tuple(writes))
