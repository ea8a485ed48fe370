# SPDX-License-Identifier: BSD-3-Clause
"""Tables into the order of evaluation, without constants, buffers and inputs that do not matter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter

from bonn_hw.bitstream.readback.frames import ReadbackFault
from bonn_hw.bitstream.readback.netlist import Memory, Port, Register, Table

Parts = tuple[tuple[Table, ...], dict[str, int], tuple[Register, ...], tuple[Memory, ...]]


def ordered(
    tables: Iterable[Table],
    outputs: Mapping[str, int],
    registers: Iterable[Register],
    memories: Iterable[Memory],
) -> Parts:
    """Order and simplify.

    Raises ReadbackFault for a loop of tables, and for a memory that writes parts of rows.
    """
    known: dict[int, int] = {0: 0, 1: 1}  # net -> the net, or constant, that it equals
    # Two tables in one share inputs that matter to one of them only: those must not make circles.
    by_output = {table.output: simplified(table, known) for table in tables}
    kept = []
    for net in _sorted(by_output):
        table = simplified(by_output[net], known)
        if not table.inputs:
            known[net] = table.contents
        elif table.contents == 0b10 and len(table.inputs) == 1:
            known[net] = table.inputs[0]
        else:
            known[net] = net
            kept.append(table)

    def now(net: int) -> int:
        return known.get(net, net)

    def port(one: Port) -> Port:
        return replace(
            one,
            address=tuple(map(now, one.address)),
            enable=now(one.enable),
            data=tuple(map(now, one.data)),
            reset=now(one.reset),
            strobes=(),
        )

    def writes(one: Memory) -> tuple[Port, ...]:
        # The router passes nets through tables, so that a strobe can come as several of them.
        if any(len(set(map(now, side.strobes))) > 1 for side in one.writes):
            raise ReadbackFault(f"the block memory {one.name} writes parts of rows")
        return tuple(side for side in map(port, one.writes) if side.enable)

    flops = tuple(
        replace(one, data=now(one.data), enable=now(one.enable), reset=now(one.reset))
        for one in registers
    )
    rams = tuple(
        replace(one, reads=tuple(map(port, one.reads)), writes=writes(one)) for one in memories
    )
    ends = {pin: now(net) for pin, net in outputs.items()}
    used = set(ends.values())
    used.update(net for one in flops for net in (one.data, one.enable, one.reset))
    asked = used.union(net for table in kept for net in table.inputs)
    asked.update(net for one in rams for side in one.writes for net in (*side.data, side.enable))
    asked.update(net for one in rams for side in (*one.reads, *one.writes) for net in side.address)
    rams = tuple(
        replace(one, reads=tuple(side for side in one.reads if asked.intersection(side.data)))
        for one in rams
    )
    for one in rams:
        for side in (*one.reads, *one.writes):
            used.update((*side.address, side.enable, side.reset))
        used.update(net for side in one.writes for net in side.data)
    needed = []
    for table in reversed(kept):
        if table.output in used:
            used.update(table.inputs)
            needed.append(table)
    return _by_depth(reversed(needed)), ends, flops, rams


def _by_depth(tables: Iterable[Table]) -> tuple[Table, ...]:
    """The same, by logic depth and then by the number of inputs, as the simulator likes it."""
    depths: dict[int, int] = {}
    places = []
    for table in tables:
        depth = depths[table.output] = 1 + max(depths.get(net, 0) for net in table.inputs)
        places.append((depth, len(table.inputs), table.output, table))
    return tuple(place[-1] for place in sorted(places, key=lambda place: place[:3]))


def _sorted(tables: Mapping[int, Table]) -> Iterable[int]:
    graph = {net: [one for one in table.inputs if one in tables] for net, table in tables.items()}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise ReadbackFault(
            f"tables drive each other in a circle of {len(error.args[1]) - 1}"
        ) from None


def simplified(table: Table, known: Mapping[int, int]) -> Table:
    """The same table with fewer inputs: no constants, no net twice, none that does not matter."""
    inputs = [known.get(net, net) for net in table.inputs]
    values = [table.contents >> index & 1 for index in range(1 << len(inputs))]
    # From the last input on; first the constants and repetitions, as others may not matter then.
    for place in reversed(range(len(inputs))):
        if inputs[place] in (0, 1, *inputs[:place]):
            net = inputs.pop(place)
            low, high = _halves(values, place)
            if net in (0, 1):
                values = high if net else low
            else:
                earlier = 1 << inputs.index(net)
                pairs = enumerate(zip(low, high, strict=True))
                values = [pair[bool(index & earlier)] for index, pair in pairs]
    for place in reversed(range(len(inputs))):
        low, high = _halves(values, place)
        if low == high:
            del inputs[place]
            values = low
    contents = sum(value << index for index, value in enumerate(values))
    return Table(table.output, tuple(inputs), contents)


def _halves(values: list[int], place: int) -> tuple[list[int], list[int]]:
    """The values where an input is 0, and where it is 1."""
    step = 1 << place
    return (
        [value for index, value in enumerate(values) if not index & step],
        [value for index, value in enumerate(values) if index & step],
    )
