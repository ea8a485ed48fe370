# SPDX-License-Identifier: BSD-3-Clause
"""The longest path between two registers of a netlist, with the names of its ends.

A path starts at a register, a block memory, a DSP slice or an input, and ends at one of these or at
an output. Its levels are LUTs, reads of LUT memories, and carry chains; a chain is one level,
however long it is. Multiplexers of a slice are not counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bonn_hw.synth import cells as kinds
from bonn_hw.synth.cells import Cell

CLOCKS = frozenset({"C", "CLK", "WCLK", "CLKARDCLK", "CLKBWRCLK"})


@dataclass(frozen=True)
class LongestPath:
    """The path that limits the clock, as far as logic decides.

    Attributes
    ----------
    luts, chains : int
        LUTs and reads of LUT memories on it; carry chains on it.
    start, end : str
        Names at its ends: of the output of a register, or of a port.
    """

    luts: int
    chains: int
    start: str
    end: str

    @property
    def depth(self) -> int:
        """Its levels without the first carry chain: what a limit of the logic depth is about."""
        return _depth(self.luts, self.chains)

    def __str__(self) -> str:
        chains = f" and {self.chains} carry chain{'s' * (self.chains > 1)}" if self.chains else ""
        return f"{self.luts} LUT{chains} from {self.start} to {self.end}"


def _depth(luts: int, chains: int) -> int:
    return luts + max(0, chains - 1)


@dataclass(frozen=True)
class _Reach:
    """LUTs and carry chains of the longest path to a net, and the net that it starts at."""

    luts: int
    chains: int
    start: int

    @property
    def length(self) -> tuple[int, int]:
        return _depth(self.luts, self.chains), self.chains


def longest_path(module: Mapping[str, Any]) -> LongestPath | None:
    """The longest path of a module in Yosys' JSON form; None without any logic between two ends.

    The longest has the highest `LongestPath.depth`; of these, the most carry chains.
    """
    cells = [cell for cell in module["cells"].values() if cell["type"] not in kinds.IGNORED]
    reached = _reached(cells)
    worst, last = None, 0
    for net, name in _ends(module, cells):
        for reach in reached.get(net, ()):
            if worst is None or reach.length > worst.length:
                worst, last = reach, name
    if worst is None:
        return None
    names = _names(module.get("netnames", {}))
    ends = (names.get(net, "a net") for net in (worst.start, last))
    return LongestPath(worst.luts, worst.chains, *ends)


def _ends(module: Mapping[str, Any], cells: Sequence[Cell]) -> Iterator[tuple[int, int]]:
    """Nets at which a path ends, and the net that has the name of that end."""
    for cell in cells:
        if kinds.is_end(cell["type"]):
            outputs = kinds.bits(cell, "output")
            name = next(outputs, None)
            for port, nets in cell["connections"].items():
                if cell["port_directions"][port] == "input" and port not in CLOCKS:
                    yield from ((net, name or net) for net in nets if isinstance(net, int))
    for port in module.get("ports", {}).values():
        if port["direction"] == "output":
            yield from ((net, net) for net in port["bits"] if isinstance(net, int))


def _reached(cells: Sequence[Cell]) -> dict[int, tuple[_Reach, ...]]:
    """The longest paths to each output of a LUT, a multiplexer or a carry chain.

    Two for each: without a carry chain, and with one. Which of them becomes the longer one is
    decided later: the first chain is not counted, the second one is.
    """
    logic = [cell for cell in cells if kinds.is_logic(cell["type"])]
    driver = {net: place for place, cell in enumerate(logic) for net in kinds.bits(cell, "output")}
    through = [list(kinds.through(cell)) for cell in logic]
    missing = [len({driver[net] for net in nets if net in driver}) for nets in through]
    readers: list[set[int]] = [set() for _ in logic]
    for place, nets in enumerate(through):
        for net in nets:
            if net in driver:
                readers[driver[net]].add(place)
    reached: dict[int, tuple[_Reach, ...]] = {}
    ready = [place for place, count in enumerate(missing) if not count]
    while ready:
        place = ready.pop()
        found = _behind(logic[place], through[place], reached)
        reached |= dict.fromkeys(kinds.bits(logic[place], "output"), found)
        for reader in readers[place]:
            missing[reader] -= 1
            if not missing[reader]:
                ready.append(reader)
    return reached


def _behind(
    cell: Cell, nets: Sequence[int], reached: Mapping[int, tuple[_Reach, ...]]
) -> tuple[_Reach, ...]:
    """The longest paths through a cell, without and with a carry chain."""
    kind = cell["type"]
    lut = kinds.is_function(kind) or kind in kinds.LUT_MEMORIES or kind in kinds.SHIFT_REGISTERS
    carried = {*cell["connections"].get("CI", ())} if kind in kinds.CARRIES else set()
    best: dict[bool, _Reach] = {}
    for net in nets:
        for before in reached.get(net, (_Reach(0, 0, net),)):
            # CI comes from the cell below in the same chain.
            enters = kind in kinds.CARRIES and not (net in carried and before.chains)
            reach = _Reach(before.luts + lut, before.chains + enters, before.start)
            known = best.get(reach.chains > 0)
            if known is None or reach.length > known.length:
                best[reach.chains > 0] = reach
    return tuple(best.values())


def _names(nets: Mapping[str, Any]) -> dict[int, str]:
    """The name of each net: the shortest one that the sources have."""
    names: dict[int, str] = {}
    shown = [(name, one) for name, one in nets.items() if not one.get("hide_name")]
    for name, one in sorted(shown, key=lambda item: -len(item[0])):
        for place, net in enumerate(one["bits"]):
            if isinstance(net, int):
                names[net] = name if len(one["bits"]) == 1 else f"{name}[{place}]"
    return names
