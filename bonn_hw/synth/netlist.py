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

from bonn_hw.synth.cells import (
    BLOCK_MEMORIES,
    CARRIES,
    DSPS,
    FLIP_FLOPS,
    IGNORED,
    LUT_MEMORIES,
    SELECTORS,
    SHIFT_REGISTERS,
    Cell,
    bits,
    is_function,
)
from bonn_hw.synth.paths import LongestPath, longest_path

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
        Logic depth: the levels of the longest path between two registers, that is its functions,
        reads of LUT memories, and carry chains but for the first one.
    longest : LongestPath or None
        That path; None without any logic.
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
    longest: LongestPath | None = None

    @classmethod
    def of(cls, module: Mapping[str, Any]) -> Use:
        """Count the cells of a module in Yosys' JSON form; raises ValueError for unknown cells."""
        cells = [cell for cell in module["cells"].values() if cell["type"] not in IGNORED]
        kinds = Counter(cell["type"] for cell in cells)
        logic = [cell for cell in cells if is_function(cell["type"])]
        functions = [frozenset(_inputs(cell)) for cell in logic]
        chosen = _selects(cells)
        chained = [not chosen.isdisjoint(bits(cell, "output")) for cell in logic]
        passed = len(chosen.difference(*(bits(cell, "output") for cell in logic)))
        lutram = sum(sites * kinds[kind] for kind, sites in LUT_MEMORIES.items())
        srl = sum(sites * kinds[kind] for kind, sites in SHIFT_REGISTERS.items())
        counted = {*LUT_MEMORIES, *SHIFT_REGISTERS, *BLOCK_MEMORIES, *CARRIES, *DSPS, *SELECTORS}
        for kind in kinds:
            if kind not in counted and not is_function(kind) and not kind.startswith(FLIP_FLOPS):
                raise ValueError(f"cells of type {kind} are not known")
        longest = longest_path(module)
        return cls(
            lut=round(len(functions) - pairs(functions, chained) + passed + lutram + srl + 0.25),
            functions=len(functions),
            lutram=lutram,
            srl=srl,
            ff=sum(count for kind, count in kinds.items() if kind.startswith(FLIP_FLOPS)),
            carry=sum(kinds[kind] for kind in CARRIES),
            bram36=sum(part * kinds[kind] for kind, part in BLOCK_MEMORIES.items()),
            dsp=sum(kinds[kind] for kind in DSPS),
            depth=longest.depth if longest else 0,
            longest=longest,
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
    stages = {name: counted[kind] for name, kind in kept.items()}
    return {"top": Use.of({**top, "cells": own})} | stages


def _inputs(cell: Cell) -> Iterator[int]:
    return bits(cell, "input")


def _selects(cells: list[Cell]) -> set[int]:
    """The nets at the propagate inputs of carry chains."""
    carries = (cell["connections"].get("S", ()) for cell in cells if cell["type"] in CARRIES)
    return {net for nets in carries for net in nets if isinstance(net, int)}


MOST_USERS = 64  # of a net to consider; a net of thousands, such as a reset, is useless for pairing


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
