# SPDX-License-Identifier: BSD-3-Clause
"""Which nets depend on data, and the proof that the control does not.

Data are the bits of ``s_axis_tdata``. A net depends on them if a path of gates, registers or words
of memories leads from them to it. No handshake, no step of a stage, no memory's address and no
write may depend on data: then the cycle of every beat is the same whatever the data are, and this
holds for the netlist, for all inputs and all stalls. (Non-interference, Goguen and Meseguer 1982.)
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass

from bonn_hw.errors import UserError
from bonn_hw.sliced import lookups
from bonn_hw.sliced.netlist import Net, Netlist

INPUT = "s_axis_tdata"
HANDSHAKES = ("s_axis_tready", "m_axis_tvalid", "probe")


class DataDependent(UserError):
    """The control of a design depends on data."""


@dataclass(frozen=True, eq=False)
class Split:
    """A netlist and those of its nets that depend on data. No register's enable is among them."""

    netlist: Netlist
    data: frozenset[Net]


def split(netlist: Netlist) -> Split:
    """Find the nets that depend on data.

    Multiplexers replace what depends on data and need not be control (`lookups`).

    Raises
    ------
    DataDependent
        If a handshake, a memory's address or a write depends on data; with the names of both.
    """
    netlist = lookups.without(netlist, _reached(netlist))
    reached = _reached(netlist)
    data = frozenset(reached)

    def refuse(what: str, source: Net | None) -> None:
        while source is not None and source not in netlist.names:
            source = reached[source]
        name = INPUT if source is None else netlist.names[source]
        raise DataDependent(
            f"simulate: {what} depends on data, through {name}: its cycles differ from image to "
            "image, and the bit-sliced engine needs that they are the same: choose --engine "
            "verilator"
        )

    for memory in netlist.memories:
        for port in memory.ports:
            for net in (*port.address, port.enable):
                if net in data:
                    refuse(f"an address or an enable of the memory {memory.name}", net)
    for name in HANDSHAKES:
        for place, net in enumerate(netlist.ports[name]):
            if net in data:
                bit = f"[{place}]" if len(netlist.ports[name]) > 1 else ""
                refuse(f"{name}{bit}", reached[net])
    return Split(netlist, data)


def _reached(netlist: Netlist) -> dict[Net, Net | None]:
    """The nets that depend on data, each with a net through which it does."""
    edges: dict[Net, list[tuple[Net, ...]]] = defaultdict(list)
    for gate in netlist.gates:
        for net in gate.inputs:
            edges[net].append((gate.output,))
    for register in netlist.registers:
        for net in (register.data, register.enable):
            edges[net].append((register.output,))
    for memory in netlist.memories:
        words = tuple(net for read in memory.reads for net in read.data)
        for write in memory.writes:
            for net in (*write.data, *write.address, write.enable):
                edges[net].append(words)
        for read in memory.reads:
            for given in (*read.address, read.enable):
                if given is not None:
                    edges[given].append(read.data)
    reached: dict[Net, Net | None] = dict.fromkeys(netlist.ports[INPUT])
    ahead = deque(reached)  # the nearest first: names near the end tell the most
    while ahead:
        net = ahead.popleft()
        for outputs in edges[net]:
            for output in outputs:
                if output not in reached:
                    reached[output] = net
                    ahead.append(output)
    return reached
