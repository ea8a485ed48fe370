# SPDX-License-Identifier: BSD-3-Clause
"""The primitives of Xilinx devices in a netlist in Yosys' JSON form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Cell = Mapping[str, Any]

# LUTs of a distributed memory (UG474, UG574); two shift registers of 16 bits share one LUT.
LUT_MEMORIES = {
    "RAM32M": 4, "RAM64M": 4, "RAM32M16": 8, "RAM64M8": 8,
    "RAM32X1S": 1, "RAM64X1S": 1, "RAM128X1S": 2, "RAM256X1S": 4, "RAM512X1S": 8,
    "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4, "RAM256X1D": 8,
}  # fmt: skip
WRITE_ADDRESSES = {"RAM32M": "ADDRD", "RAM64M": "ADDRD", "RAM32M16": "ADDRH", "RAM64M8": "ADDRH"}
SHIFT_REGISTERS = {"SRL16E": 0.5, "SRLC16E": 0.5, "SRLC32E": 1.0}
BLOCK_MEMORIES = {"RAMB36E1": 1.0, "RAMB18E1": 0.5, "RAMB36E2": 1.0, "RAMB18E2": 0.5}
CARRIES = {"CARRY4", "CARRY8"}
FLIP_FLOPS = ("FD", "LD")  # prefixes of the cell types
DSPS = {"DSP48E1", "DSP48E2"}
SELECTORS = {"MUXF7", "MUXF8", "MUXF9"}
IGNORED = {"$scopeinfo", "GND", "VCC", "BUFG"}


def is_function(kind: str) -> bool:
    """Whether a cell is a LUT."""
    return kind == "INV" or (kind.startswith("LUT") and kind[3:].isdigit())


def is_logic(kind: str) -> bool:
    """Whether paths lead through a cell."""
    reads = kind in LUT_MEMORIES or kind in SHIFT_REGISTERS
    return reads or kind in SELECTORS or kind in CARRIES or is_function(kind)


def is_end(kind: str) -> bool:
    """Whether a cell stores anything, so that paths end at it."""
    return not is_logic(kind) or kind in LUT_MEMORIES or kind in SHIFT_REGISTERS


def bits(cell: Cell, direction: str) -> Iterator[int]:
    """The nets at a cell's ports of one direction, without constants."""
    for port, nets in cell["connections"].items():
        if cell["port_directions"][port] == direction:
            yield from (net for net in nets if isinstance(net, int))  # constants are strings


def through(cell: Cell) -> Iterator[int]:
    """The inputs with a combinational path to an output; for a memory, its read addresses."""
    kind = cell["type"]
    if kind not in LUT_MEMORIES and kind not in SHIFT_REGISTERS:
        yield from bits(cell, "input")
        return
    written = "A" if kind.endswith("1D") else WRITE_ADDRESSES.get(kind, "none")
    for port, nets in cell["connections"].items():
        if port.startswith(("A", "DPRA")) and not port.startswith(written):
            yield from (net for net in nets if isinstance(net, int))
