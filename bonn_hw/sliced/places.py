# SPDX-License-Identifier: BSD-3-Clause
"""Where the generated C++ keeps nets and memories.

Control is words of 0 or -1, ``c[i]``. Data are vectors with an image in every bit, ``d[i]`` of a
struct ``l``, of which there may be several. Memory i is ``m<i>``, of that struct if it holds data,
and ``a<i>_<j>`` is the address of its port j, reads before writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from bonn_hw.sliced.forms import inverted_nets
from bonn_hw.sliced.independence import Split
from bonn_hw.sliced.netlist import ONE, ZERO, Memory, Net, Netlist, Read, Write
from bonn_hw.sliced.order import Order


@dataclass(eq=False)
class Places:
    """The places of nets; a net gets one when it is first asked for.

    Attributes
    ----------
    words : dict
        The text of nets that a memory's word gives at once.
    """

    split: Split
    ordered: Order
    inverted: frozenset[Net] = frozenset()
    data: dict[Net, int] = field(default_factory=dict)
    control: dict[Net, int] = field(default_factory=lambda: {ZERO: 0, ONE: 1})
    words: dict[Net, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.netlist.fan_in == 2:  # any function of three values is one instruction
            self.inverted = inverted_nets(self.split, self.ordered.data)
        for memory in self.netlist.memories:
            for read in memory.reads:
                if read.enable is not None or not self.holds_data(memory):
                    self.give(read.data)  # of a word, one behind the other
                    continue
                word = self.word(memory, read)
                self.words |= {net: f"{word}[{bit}]" for bit, net in enumerate(read.data)}
        for nets in self.netlist.ports.values():
            self.give(net for net in nets if net not in self.words)

    @property
    def netlist(self) -> Netlist:
        """The netlist."""
        return self.split.netlist

    def give(self, nets: Iterable[Net]) -> None:
        """Give places to nets that have none."""
        for net in nets:
            of = self.data if net in self.split.data else self.control
            of.setdefault(net, len(of))

    def text(self, net: Net) -> str:
        """The stored value of a net: a vector, or a byte."""
        if net in self.words:
            return self.words[net]
        self.give([net])
        if net in self.split.data:
            return f"l.d[{self.data[net]}]"
        return f"c[{self.control[net]}]"

    def vector(self, net: Net) -> str:
        """The stored value of a net, as a vector."""
        if net in (ZERO, ONE):
            return "ones" if net else "zeros"
        return self.text(net) if net in self.split.data else f"spread({self.text(net)})"

    def holds_data(self, memory: Memory) -> bool:
        """Whether a memory's words depend on data."""
        return any(net in self.split.data for read in memory.reads for net in read.data)

    def name(self, memory: Memory) -> str:
        """The memory's array."""
        number = self.netlist.memories.index(memory)
        return f"l.m{number}" if self.holds_data(memory) else f"m{number}"

    def address(self, memory: Memory, port: Read | Write) -> str:
        """The variable that holds the address of a port."""
        number = memory.ports.index(port)
        return f"a{self.netlist.memories.index(memory)}_{number}"

    def word(self, memory: Memory, port: Read | Write) -> str:
        """The word that a port reads or writes."""
        return f"{self.name(memory)}[{self.address(memory, port)}]"

    def copy(self, memory: Memory, read: Read) -> str:
        """The statement that takes the word of a read port."""
        word = self.word(memory, read)
        if self.holds_data(memory):
            return f"std::memcpy(&{self.text(read.data[0])}, {word}, sizeof {word});"
        return f"widen(&{self.text(read.data[0])}, {word}, {memory.width});"

    def passes(self, memory: Memory, read: Read) -> str:
        """The condition that the word which is read is being written."""
        (write,) = memory.writes
        same = f"{self.address(memory, read)} == {self.address(memory, write)}"
        return f"{self.text(write.enable)} && {same}"
