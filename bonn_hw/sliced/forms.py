# SPDX-License-Identifier: BSD-3-Clause
"""The C++ of a gate of data, one instruction.

With gates of two inputs, some nets are stored inverted. With gates of three, none are: there is an
instruction for each of their functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bonn_hw.sliced.independence import Split
from bonn_hw.sliced.netlist import Gate, Net

# Functions of stored values by their table; those with the lowest bit set are stored inverted.
TEXTS = {
    2: "{a} & ~{b}", 4: "~{a} & {b}", 6: "{a} ^ {b}", 8: "{a} & {b}", 14: "{a} | {b}",
    10: "{a}", 12: "{b}", 0: "zeros",
}  # fmt: skip
ROUNDS = 3  # registers follow their data, which follow registers


@dataclass(frozen=True)
class Form:
    """A function of two stored values, and whether its result is stored inverted."""

    table: int
    inverted: bool

    @classmethod
    def of(cls, gate: Gate, inverted: Sequence[bool]) -> Form:
        """The form of a gate whose inputs may be stored inverted."""
        flips = sum(bool(flip) << place for place, flip in enumerate(inverted))
        used = (1 << len(gate.inputs)) - 1
        table = sum((gate.table >> ((code ^ flips) & used) & 1) << code for code in range(4))
        return cls(table ^ 15, True) if table & 1 else cls(table, False)

    def text(self, operands: Sequence[str]) -> str:
        """The C++ expression."""
        a, b = (*operands, "zeros", "zeros")[:2]
        return TEXTS[self.table].format(a=a, b=b)


def any_of_three(table: int, operands: Sequence[str]) -> str:
    """The C++ expression of a function of at most three values; missing ones repeat the last."""
    if not operands:
        return "ones" if table & 1 else "zeros"
    for known in range(len(operands), 3):
        table |= table << (1 << known)
    a, b, c = (*operands, *[operands[-1]] * 2)[:3]
    return f"gate<{table}>({a}, {b}, {c})"


def inverted_nets(split: Split, gates: Sequence[Gate]) -> frozenset[Net]:
    """The nets of data that are stored inverted.

    Parameters
    ----------
    gates
        All gates of data, in order.
    """
    inverted: set[Net] = set()

    def note(net: Net, flag: bool) -> None:
        (inverted.add if flag else inverted.discard)(net)

    for left in reversed(range(ROUNDS)):
        for gate in gates:
            note(gate.output, Form.of(gate, [net in inverted for net in gate.inputs]).inverted)
        if left:  # the gates have the last word
            for register in split.netlist.registers:
                note(register.output, register.data in inverted)
    return frozenset(inverted)
