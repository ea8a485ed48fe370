# SPDX-License-Identifier: BSD-3-Clause
"""Count the resources of a netlist of Xilinx primitives, and its logic depth."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
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
SHARED = 5  # inputs of the two functions that one LUT can hold


@dataclass(frozen=True)
class Use:
    """The resources of a netlist.

    Attributes
    ----------
    lut : int
        LUTs with six inputs: functions, LUT memories, shift registers, and LUTs that only pass a
        net to a carry chain. Two functions count as one LUT if they share an input and have at
        most `SHARED` inputs together (placers combine them), unless both drive a carry chain.
    functions : int
        Functions without combining any two.
    lutram, srl : float
        LUTs of LUT memories and of shift registers; also counted in ``lut``.
    ff, carry, dsp : int
        Flip-flops, carry cells of 4 or 8 bits, DSP slices.
    bram36 : float
        Block memories of 36 kbit; one of 18 kbit counts as 0.5.
    depth : int
        Logic depth: the most functions and reads of LUT memories between two registers. Carry
        chains are not counted.
    """

    lut: int
    functions: int
    lutram: float
    srl: float
    ff: int
    carry: int
    bram36: float
    dsp: int
    depth: int

    @classmethod
    def of(cls, module: Mapping[str, Any]) -> Use:
        """Count the cells of a module in Yosys' JSON form; raises ValueError for unknown cells."""
        cells = [cell for cell in module["cells"].values() if cell["type"] not in IGNORED]
        kinds = Counter(cell["type"] for cell in cells)
        logic = [cell for cell in cells if _is_function(cell["type"])]
        functions = [frozenset(_inputs(cell)) for cell in logic]
        chosen = _selects(cells)
        chained = [not chosen.isdisjoint(_bits(cell, "output")) for cell in logic]
        passed = len(chosen.difference(*(_bits(cell, "output") for cell in logic)))
        lutram = sum(sites * kinds[kind] for kind, sites in LUT_MEMORIES.items())
        srl = sum(sites * kinds[kind] for kind, sites in SHIFT_REGISTERS.items())
        counted = {*LUT_MEMORIES, *SHIFT_REGISTERS, *BLOCK_MEMORIES, *CARRIES, *DSPS, *SELECTORS}
        for kind in kinds:
            if kind not in counted and not _is_function(kind) and not kind.startswith(FLIP_FLOPS):
                raise ValueError(f"cells of type {kind} are not known")
        return cls(
            lut=round(len(functions) - pairs(functions, chained) + passed + lutram + srl + 0.25),
            functions=len(functions),
            lutram=lutram,
            srl=srl,
            ff=sum(count for kind, count in kinds.items() if kind.startswith(FLIP_FLOPS)),
            carry=sum(kinds[kind] for kind in CARRIES),
            bram36=sum(part * kinds[kind] for kind, part in BLOCK_MEMORIES.items()),
            dsp=sum(kinds[kind] for kind in DSPS),
            depth=_depth(cells),
        )


def read(path: Path) -> dict[str, Use]:
    """Count a netlist: ``top`` without its kept modules, and each kept module by instance."""
    modules = json.loads(path.read_text())["modules"]
    top = modules["top"]
    hierarchical = {
        name for name, module in modules.items() if "keep_hierarchy" in module["attributes"]
    }
    kept = {
        name: cell["type"] for name, cell in top["cells"].items() if cell["type"] in hierarchical
    }
    own = {name: cell for name, cell in top["cells"].items() if name not in kept}
    counted = {kind: Use.of(modules[kind]) for kind in set(kept.values())}
    return {"top": Use.of({"cells": own})} | {name: counted[kind] for name, kind in kept.items()}


def _is_function(kind: str) -> bool:
    return kind == "INV" or (kind.startswith("LUT") and kind[3:].isdigit())


def _bits(cell: Cell, direction: str) -> Iterator[int]:
    for port, bits in cell["connections"].items():
        if cell["port_directions"][port] == direction:
            yield from (bit for bit in bits if isinstance(bit, int))  # constants are strings


def _inputs(cell: Cell) -> Iterator[int]:
    return _bits(cell, "input")


def _selects(cells: list[Cell]) -> set[int]:
    """The nets at the propagate inputs of carry chains."""
    carries = (cell["connections"].get("S", ()) for cell in cells if cell["type"] in CARRIES)
    return {bit for bits in carries for bit in bits if isinstance(bit, int)}


def pairs(functions: list[frozenset[int]], chained: list[bool]) -> int:
    """Count pairs of functions that share a LUT, greedily by the number of shared inputs.

    Two functions can be paired if they share an input and have at most `SHARED` inputs together.
    LUTs that drive a carry chain have fixed places next to it: two of these are never paired.
    """
    users: dict[int, dict[int, None]] = {}  # by net: functions without a partner
    for place, inputs in enumerate(functions):
        if len(inputs) <= SHARED:
            for bit in inputs:
                users.setdefault(bit, {})[place] = None
    single = [0 < len(inputs) <= SHARED for inputs in functions]
    count = 0
    # Large ones first: they have the fewest partners.
    for place in sorted(range(len(functions)), key=lambda place: -len(functions[place])):
        if not single[place]:
            continue
        inputs, best, most = functions[place], None, 0
        for bit in inputs:
            for other in islice(users[bit], MOST_USERS):
                if other == place or (chained[other] and chained[place]):
                    continue
                shared = len(inputs & functions[other])
                together = len(inputs) + len(functions[other]) - shared
                if together <= SHARED and shared > most:
                    best, most = other, shared
        if best is not None:
            count += 1
            for one in (place, best):
                single[one] = False
                for bit in functions[one]:
                    del users[bit][one]
    return count


def _through(cell: Cell) -> Iterator[int]:
    """The inputs with a combinational path to an output; for a memory, its read addresses."""
    kind = cell["type"]
    if kind not in LUT_MEMORIES and kind not in SHIFT_REGISTERS:
        yield from _inputs(cell)
        return
    written = "A" if kind.endswith("1D") else WRITE_ADDRESSES.get(kind, "none")
    for port, bits in cell["connections"].items():
        if port.startswith(("A", "DPRA")) and not port.startswith(written):
            yield from (bit for bit in bits if isinstance(bit, int))


MOST_USERS = 64  # of a net to consider; a net of thousands, such as a reset, is useless for pairing


def _depth(cells: list[Cell]) -> int:
    """Logic depth of the longest path between registers, block memories and DSP slices."""
    weights = []
    for cell in cells:
        kind = cell["type"]
        passes = kind in SELECTORS or kind in CARRIES
        reads = kind in LUT_MEMORIES or kind in SHIFT_REGISTERS
        weights.append(0 if passes else 1 if reads or _is_function(kind) else None)
    driver = {
        bit: place
        for place, cell in enumerate(cells)
        if weights[place] is not None
        for bit in _bits(cell, "output")
    }
    sources: list[list[int]] = [
        [driver[bit] for bit in _through(cell) if bit in driver] for cell in cells
    ]
    missing = [len(set(some)) for some in sources]
    readers: list[list[int]] = [[] for _ in cells]
    for place, some in enumerate(sources):
        for source in set(some):
            readers[source].append(place)
    depth = [weight or 0 for weight in weights]
    ready = [place for place, count in enumerate(missing) if not count]
    while ready:
        place = ready.pop()
        for reader in readers[place]:
            depth[reader] = max(depth[reader], depth[place] + (weights[reader] or 0))
            missing[reader] -= 1
            if not missing[reader]:
                ready.append(reader)
    return max(depth, default=0)
