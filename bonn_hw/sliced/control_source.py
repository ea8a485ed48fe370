# SPDX-License-Identifier: BSD-3-Clause
"""C++ of the control: words of 0 or -1, evaluated once for all images."""

from __future__ import annotations

from collections.abc import Sequence

from bonn_hw.sliced.netlist import ONE, Gate, Net, Register
from bonn_hw.sliced.order import Lookup
from bonn_hw.sliced.places import Places

CHUNK = 800  # gates of a function


def functions(places: Places) -> str:
    """The functions of the control.

    ``control()`` computes what is known before the clock's edge, ``control_step()`` is the edge.
    """
    nodes = places.ordered.control
    chunks = [nodes[at : at + CHUNK] for at in range(0, len(nodes), CHUNK)]
    kept = _kept(places, chunks)
    lines: list[str] = []
    for number, chunk in enumerate(chunks):
        local: set[Net] = set()
        lines.append(f"static void g{number}() {{")
        for node in chunk:
            if isinstance(node, Lookup):
                lines += _lookup(places, node, local)
                continue
            lines.append(f"const Control t{node.output} = {_gate(places, node, local)};")
            local.add(node.output)
            if node.output in kept:
                lines.append(f"{places.text(node.output)} = t{node.output};")
        lines.append("}")
    lines += ["void control() {", *(f"g{number}();" for number in range(len(chunks)))]
    looked_up = {id(node.read) for node in nodes if isinstance(node, Lookup)}
    for memory in places.netlist.memories:
        for port in memory.ports:
            if id(port) not in looked_up:
                value = _number(places, port.address, set())
                lines.append(f"{places.address(memory, port)} = {value};")
    return "\n".join([*lines, "}", *_step(places), ""])


def _kept(places: Places, chunks: Sequence[Sequence[Gate | Lookup]]) -> frozenset[Net]:
    """Gates that are read elsewhere than in their own function."""
    netlist = places.netlist
    kept = {net for gate in places.ordered.data for net in gate.inputs}
    kept |= {net for nets in netlist.ports.values() for net in nets}
    kept |= {net for one in netlist.registers for net in (one.data, one.enable)}
    for memory in netlist.memories:
        for port in memory.ports:
            kept |= {*port.address, ONE if port.enable is None else port.enable}
        kept |= {net for write in memory.writes for net in write.data}
    home = {net: number for number, chunk in enumerate(chunks) for node in chunk
            for net in node.outputs}  # fmt: skip
    for number, chunk in enumerate(chunks):
        kept |= {net for node in chunk for net in node.inputs if home.get(net, number) != number}
    return frozenset(kept)


def _text(places: Places, net: Net, local: set[Net]) -> str:
    return f"t{net}" if net in local else places.text(net)


def _gate(places: Places, gate: Gate, local: set[Net]) -> str:
    operands = [_text(places, net, local) for net in gate.inputs]
    return f"gate<{gate.table}>({', '.join(operands)})" if operands else f"-{gate.table & 1}"


def _number(places: Places, address: Sequence[Net], local: set[Net]) -> str:
    """The number of some bits."""
    bits = [
        f"({_text(places, net, local)} & 1u) << {place}" for place, net in enumerate(address) if net
    ]
    return " | ".join(bits) or "0"


def _lookup(places: Places, node: Lookup, local: set[Net]) -> list[str]:
    address = places.address(node.memory, node.read)
    number = _number(places, node.read.address, local)
    return [f"{address} = {number};", places.copy(node.memory, node.read)]


def _step(places: Places) -> list[str]:
    """The edge: what is known before it is read first."""
    netlist, data = places.netlist, places.split.data
    registers = [one for one in netlist.registers if one.output not in data]
    memories = [memory for memory in netlist.memories if not places.holds_data(memory)]
    changing = {one.output for one in registers}
    changing |= {net for memory in memories for read in memory.reads for net in read.data}
    lines = ["void control_step() {"]
    old = dict.fromkeys(one.data for one in registers if one.data in changing)
    for memory in memories:
        old |= dict.fromkeys(
            net for write in memory.writes for net in (*write.data, write.enable) if net in changing
        )
    enables = [one.enable for one in registers]
    enables += [read.enable for memory in memories for read in memory.reads if read.enable]
    old |= dict.fromkeys(net for net in enables if net in changing)
    lines += [f"const Control o{net} = {places.text(net)};" for net in old]

    def before(net: Net) -> str:
        return f"o{net}" if net in old else places.text(net)

    for memory in memories:
        for read in memory.reads:
            if read.enable is not None:
                if read.transparent:
                    raise ValueError(f"the memory {memory.name} passes words of control")
                lines.append(f"if ({before(read.enable)}) {places.copy(memory, read)}")
        for write in memory.writes:
            word = places.word(memory, write)
            stores = " ".join(f"{word}[{i}] = {before(net)};" for i, net in enumerate(write.data))
            lines.append(f"if ({before(write.enable)}) {{ {stores} }}")
    by_enable: dict[Net, list[Register]] = {}
    for one in registers:
        by_enable.setdefault(one.enable, []).append(one)
    for enable, group in by_enable.items():
        stores = " ".join(f"{places.text(one.output)} = {before(one.data)};" for one in group)
        lines.append(stores if enable == ONE else f"if ({before(enable)}) {{ {stores} }}")
    return [*lines, "}"]
