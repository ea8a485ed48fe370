# SPDX-License-Identifier: BSD-3-Clause
"""The order in which a cycle is computed: what is needed only, and from the output backwards.

A register, or a memory, takes its next value after all that read the old one: so no value is kept
twice. And a gate is computed in the cycles only in which a register takes, or a memory stores, what
depends on it: the enables are control, which is known before.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from bonn_hw.sliced.independence import Split
from bonn_hw.sliced.netlist import ZERO, Gate, Memory, Net, Netlist, Read, Register

OUTPUT = "m_axis_tdata"
MOST = 400  # gates of a block that is grown; a larger one is compiled slowly
Needs = frozenset[Net]  # of which one has to be set; with `ONE`, always


@dataclass(frozen=True, eq=False)
class Latch:
    """A read port with an enable: its data are registers, which take a word of its memory."""

    memory: Memory
    read: Read


State = Register | Latch | Memory


@dataclass(frozen=True, eq=False)
class Lookup:
    """A read port without an enable, of a memory that holds no data."""

    memory: Memory
    read: Read

    @property
    def inputs(self) -> tuple[Net, ...]:
        """What it depends on."""
        return self.read.address

    @property
    def outputs(self) -> tuple[Net, ...]:
        """The bits of its word."""
        return self.read.data


@dataclass(frozen=True, eq=False)
class Block:
    """States that take their next value one after the other, and gates before them.

    Attributes
    ----------
    parts : tuple
        States that feed each other in a circle are one part: all their next values are computed
        first. All parts have the same enable, or there is one part.
    gates : tuple of (needs, gates)
        In an order in which they can be computed.
    """

    parts: tuple[tuple[State, ...], ...]
    gates: tuple[tuple[Needs, tuple[Gate, ...]], ...]

    @property
    def enables(self) -> frozenset[Net]:
        """The enables of its states."""
        return frozenset(enable(state) for part in self.parts for state in part)


@dataclass(frozen=True, eq=False)
class Order:
    """The gates of the control, of the data, and of the output's data, in order; and the blocks."""

    control: tuple[Gate | Lookup, ...]
    data: tuple[Gate, ...]
    output: tuple[Gate, ...]
    blocks: tuple[Block, ...]


def enable(state: State) -> Net:
    """The net that says in which cycles a state takes its next value."""
    if isinstance(state, Memory):
        return state.writes[0].enable if state.writes else ZERO
    if isinstance(state, Latch):
        return state.read.enable or ZERO
    return state.enable


def taken(state: State) -> tuple[Net, ...]:
    """The nets of data that the next value of a state depends on."""
    if isinstance(state, Register):
        return (state.data,)
    if isinstance(state, Latch) and not state.read.transparent:
        return ()
    writes = (state if isinstance(state, Memory) else state.memory).writes
    return tuple(net for write in writes for net in write.data)


def order(split: Split) -> Order:
    """Order a netlist; raises ValueError for a circle of gates."""
    netlist, data = split.netlist, split.data
    lookups = [
        Lookup(memory, read)
        for memory in netlist.memories
        for read in memory.reads
        if read.enable is None and not data.issuperset(read.data)
    ]
    nodes = sorted_nodes([*netlist.gates, *lookups])
    of_data = [one for one in nodes if isinstance(one, Gate) and one.output in data]
    states = data_states(netlist, data)
    alive = _alive(of_data, [net for state in states for net in taken(state)])
    shown = _alive(of_data, netlist.ports[OUTPUT])
    used = [gate for gate in of_data if gate.output in alive]
    return Order(
        tuple(one for one in nodes if not data.issuperset(one.outputs)),
        tuple(of_data),
        tuple(gate for gate in of_data if gate.output in shown),
        _blocks(used, _sequence(used, states)),
    )


def data_states(netlist: Netlist, data: frozenset[Net]) -> list[State]:
    """The registers, latches and memories that hold data."""
    states: list[State] = [one for one in netlist.registers if one.output in data]
    for memory in netlist.memories:
        if any(net in data for read in memory.reads for net in read.data):
            states.append(memory)
            states += [Latch(memory, read) for read in memory.reads if read.enable is not None]
    return states


def sorted_nodes(nodes: Sequence[Gate | Lookup]) -> list[Gate | Lookup]:
    """Gates and lookups behind those that they read."""
    driver = {net: place for place, one in enumerate(nodes) for net in one.outputs}
    sources = {
        place: [driver[net] for net in one.inputs if net in driver]
        for place, one in enumerate(nodes)
    }
    try:
        return [nodes[place] for place in TopologicalSorter(sources).static_order()]
    except CycleError as error:
        raise ValueError("the gates form a circle") from error


def _alive(gates: Sequence[Gate], wanted: Iterable[Net]) -> set[Net]:
    """The nets that others depend on, through gates alone."""
    alive = set(wanted)
    for gate in reversed(gates):
        if gate.output in alive:
            alive.update(gate.inputs)
    return alive


def _sequence(gates: Sequence[Gate], states: Sequence[State]) -> list[list[State]]:
    """The states, readers first; those that feed each other in a circle stand together."""
    sources: dict[Hashable, list[Hashable]] = {}  # of a node: what it reads
    owner: dict[Net, Hashable] = {gate.output: gate for gate in gates}
    for state in states:
        if isinstance(state, Register):
            owner[state.output] = state
        elif isinstance(state, Latch):
            owner |= dict.fromkeys(state.read.data, state)
        else:
            at_once = [read for read in state.reads if read.enable is None]
            owner |= {net: state for read in at_once for net in read.data}
    for gate in gates:
        sources[gate] = [owner[net] for net in gate.inputs if net in owner]
    for state in states:
        sources[state] = [owner[net] for net in taken(state) if net in owner]
        if isinstance(state, Latch):
            sources[state].append(state.memory)
    part = components(sources)
    members: dict[int, list[State]] = defaultdict(list)
    for state in states:
        members[part[state]].append(state)
    below: dict[int, set[int]] = {one: set() for one in part.values()}
    for node, others in sources.items():
        below[part[node]] |= {part[other] for other in others}
    return _readers_first(members, {one: some - {one} for one, some in below.items()})


def _readers_first(
    members: Mapping[int, list[State]], below: Mapping[int, set[int]]
) -> list[list[State]]:
    """Components with states, each before those that it reads.

    One with the enable of the last is taken as long as there is one; else the one that became ready
    last, which is a neighbour.
    """
    readers: Counter[int] = Counter(one for some in below.values() for one in some)
    ready = [one for one in below if not readers[one]]
    waiting: dict[frozenset[Net], list[int]] = {}
    found: list[list[State]] = []
    latest: frozenset[Net] = frozenset()
    while ready or waiting:
        while ready:
            one = ready.pop()
            if one in members:
                waiting.setdefault(frozenset(map(enable, members[one])), []).append(one)
            else:  # a gate takes no place
                ready += _released(below[one], readers)
        if waiting:
            latest = latest if latest in waiting else next(reversed(waiting))
            one = waiting[latest].pop()
            if not waiting[latest]:
                del waiting[latest]
            found.append(members[one])
            ready += _released(below[one], readers)
    return found


def _released(sources: Iterable[int], readers: Counter[int]) -> list[int]:
    """Those of the sources that have no other reader left."""
    for one in sources:
        readers[one] -= 1
    return [one for one in sources if not readers[one]]


def components(sources: Mapping[Hashable, Sequence[Hashable]]) -> dict[Hashable, int]:
    """The strongly connected component of every node (Tarjan 1972, without recursion)."""
    index: dict[Hashable, int] = {}
    low: dict[Hashable, int] = {}
    part: dict[Hashable, int] = {}
    stack: list[Hashable] = []
    for root in sources:
        if root in index:
            continue
        index[root] = low[root] = len(index)
        stack.append(root)
        path = [(root, iter(sources[root]))]
        while path:
            node, others = path[-1]
            for other in others:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    path.append((other, iter(sources[other])))
                    break
                if other not in part:
                    low[node] = min(low[node], index[other])
            else:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[node])
                if low[node] == index[node]:
                    while True:
                        member = stack.pop()
                        part[member] = index[node]
                        if member == node:
                            break
    return part


def _blocks(gates: Sequence[Gate], parts: Sequence[list[State]]) -> tuple[Block, ...]:
    """Give each gate to the first part that needs it; neighbours with one enable are a block."""
    first: dict[Net, int] = {}
    needs: dict[Net, Needs] = {}

    def need(net: Net, place: int, by: Needs) -> None:
        first[net] = min(place, first.get(net, place))
        needs[net] = needs.get(net, frozenset()) | by

    for place, part in enumerate(parts):
        for state in part:
            for net in taken(state):
                need(net, place, frozenset([enable(state)]))
    for gate in reversed(gates):
        for net in gate.inputs:
            need(net, first[gate.output], needs[gate.output])
    of_part: list[list[Gate]] = [[] for _ in parts]
    for gate in gates:
        of_part[first[gate.output]].append(gate)
    blocks: list[tuple[list[tuple[State, ...]], list[Gate]]] = []
    for part, some in zip(parts, of_part, strict=True):
        joined = bool(blocks) and len({*map(enable, part), *map(enable, blocks[-1][0][-1])}) == 1
        if joined and len(blocks[-1][1]) + len(some) <= MOST:
            blocks[-1][0].append(tuple(part))
            blocks[-1][1].extend(some)
        else:
            blocks.append(([tuple(part)], list(some)))
    return tuple(Block(tuple(joined), _by_needs(some, needs)) for joined, some in blocks)


def _by_needs(
    gates: Sequence[Gate], needs: Mapping[Net, Needs]
) -> tuple[tuple[Needs, tuple[Gate, ...]], ...]:
    """Gates by their needs. What more states need comes first: it reads nothing that fewer need."""
    place = {gate.output: number for number, gate in enumerate(gates)}
    found: dict[Needs, list[Gate]] = {}
    for gate in gates:
        found.setdefault(needs[gate.output], []).append(gate)
    ordered = sorted(found.items(), key=lambda item: (-len(item[0]), place[item[1][0].output]))
    return tuple((by, tuple(some)) for by, some in ordered)
