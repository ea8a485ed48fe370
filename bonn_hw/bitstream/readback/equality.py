# SPDX-License-Identifier: BSD-3-Clause
"""Two netlists that do the same at all times, whatever their nets are called.

Signal correspondence (C. A. J. van Eijk, "Sequential equivalence checking based on structural
similarities", 2000): suppose that all registers with the same start are equal, and all memories
with the same contents. Under a supposition tables are equal that are the same function of equal
nets. What registers and memories take next tells some of them apart: a finer supposition. The one
that nothing is told apart in any more is true at the start, and true in the next cycle if it is in
this one: so for all inputs at all times. Place and route keeps every table and register, with
inputs in another order, so nothing else is needed to find netlists equal that are.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from functools import cache

from bonn_hw.bitstream.readback.netlist import Netlist, Port, Table, reached
from bonn_hw.bitstream.readback.order import simplified
from bonn_hw.bitstream.readback.placed import Placed

NAMED = 3  # places in a message


class Classes:
    """Numbers of classes; 0 and 1 are those of the constants."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}

    def __getitem__(self, key: Hashable) -> int:
        return self._numbers.setdefault(key, len(self._numbers) + 2)

    def table(self, contents: int, inputs: Sequence[int]) -> int:
        """The class of a table whose inputs are of these classes."""
        first = {0: 0, 1: 1}
        for one in inputs:
            first.setdefault(one, len(first))
        back = list(first)
        contents, numbers = _reduced(contents, tuple(first[one] for one in inputs))
        kept = [back[number] for number in numbers]
        if not kept:
            return contents
        if (contents, len(kept)) == (0b10, 1):
            return kept[0]
        order = tuple(sorted(range(len(kept)), key=kept.__getitem__))
        return self[("table", _reordered(contents, order), tuple(kept[one] for one in order))]


class Side:
    """One of the netlists, and the classes of its nets under a supposition."""

    def __init__(self, netlist: Netlist) -> None:
        self._netlist = netlist
        used = reached(netlist)
        self._registers = [one for one in netlist.registers if one.output in used]
        self._memories = [
            one for one in netlist.memories if any(used & set(side.data) for side in one.reads)
        ]
        self._states: list[Hashable] = [("register", one.start) for one in self._registers]
        self._states += [("memory", one.contents) for one in self._memories]
        self._class = [0, 1, *[0] * (netlist.nets - 2)]

    def suppose(self, classes: Classes) -> None:
        """Give every net its class; the states' numbers become those of ``classes``."""
        now, count = self._class, len(self._registers)
        for name, net in self._netlist.inputs.items():
            now[net] = classes["pin", name]
        self._states = [classes[one] for one in self._states]
        for register, state in zip(self._registers, self._states[:count], strict=True):
            now[register.output] = classes["output", state]
        for memory, state in zip(self._memories, self._states[count:], strict=True):
            for port, read in enumerate(memory.reads):
                for bit, net in enumerate(read.data):
                    if net > 1:
                        now[net] = classes["data", state, port, bit]
        for table in self._netlist.tables:
            now[table.output] = classes.table(table.contents, [now[one] for one in table.inputs])

    def outputs(self) -> dict[str, int]:
        """Pin of the processing system -> its class."""
        return {pin: self._class[net] for pin, net in self._netlist.outputs.items()}

    def refine(self) -> None:
        """Tell the states apart by what they take next."""
        now = self._class
        count, states = len(self._registers), self._states
        after: list[Hashable] = []
        for one, state in zip(self._registers, states[:count], strict=True):
            reset = now[one.reset]
            value = one.reset_value if reset else 0  # of one that is never reset, any
            after.append((state, now[one.data], now[one.enable], reset, value))
        for memory, state in zip(self._memories, states[count:], strict=True):
            reads = tuple(map(self._side, memory.reads))
            writes = tuple((*self._side(one), self._of(one.data)) for one in memory.writes)
            after.append((state, reads, writes))
        self._states = after

    def _side(self, one: Port) -> tuple[Hashable, ...]:
        now = self._class
        values = (now[one.enable], now[one.reset], one.reset_value, one.start)
        return self._of(one.address), one.first, one.width, *values

    def _of(self, nets: Sequence[int]) -> tuple[int, ...]:
        return tuple(self._class[net] for net in nets)

    def places(self) -> Iterator[tuple[Hashable, int | str]]:
        """The states, each with the net of a register or the name of a memory."""
        nets: list[int | str] = [one.output for one in self._registers]
        nets += [one.name for one in self._memories]
        return zip(self._states, nets, strict=True)


def difference(found: Netlist, placed: Placed) -> str | None:
    """How a netlist differs from the one that was placed; None: they are equal at all times.

    Only what reaches a pin of the processing system counts.
    """
    there, wanted = Side(found), Side(placed.netlist)
    known, first = 0, list[str]()
    while True:
        states = {state for state, _ in there.places()}
        first = first or [
            place if isinstance(place, str) else placed.names.get(place, f"net {place}")
            for state, place in wanted.places()
            if state not in states
        ]
        count = len(states.union(state for state, _ in wanted.places()))
        classes = Classes()
        there.suppose(classes)
        wanted.suppose(classes)
        pins, asked = there.outputs(), wanted.outputs()
        wrong = [pin for pin, kind in pins.items() if kind != asked.get(pin)]
        if wrong:
            return _told(wrong, first)
        if count == known:
            return None
        known = count
        there.refine()
        wanted.refine()


def _told(pins: Sequence[str], places: Sequence[str]) -> str:
    """A message: the parts that were told apart first are next to a fault."""
    if not places:
        return f"the pin {pins[0]} of the processing system is driven by something else"
    more = f" and {len(places) - NAMED} more" if len(places) > NAMED else ""
    return f"nothing does what {', '.join(places[:NAMED])}{more} must do"


@cache
def _reduced(contents: int, inputs: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """A table without constants, repeated inputs and those that do not matter."""
    table = simplified(Table(-1, inputs, contents), {})
    return table.contents, table.inputs


@cache
def _reordered(contents: int, order: tuple[int, ...]) -> int:
    """The contents of a table whose inputs were put into another order."""
    return sum(
        (contents >> sum((index >> new & 1) << old for new, old in enumerate(order)) & 1) << index
        for index in range(1 << len(order))
    )
