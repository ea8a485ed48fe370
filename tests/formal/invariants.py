# SPDX-License-Identifier: BSD-3-Clause
"""Helper invariants: what the registers inside a kernel hold, as functions of the ends' positions.

Where PDR does not find an invariant of its own in time, these lead it. They are read off the same
Python as the properties. They are proved first, by one step of induction: from any state in which
they hold, or from a reset, they hold in the next cycle. Then the properties are proved, with the
invariants assumed. A wrong invariant cannot make a wrong property true: its own proof fails.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.formal.facts import Facts


@dataclass(frozen=True)
class Probe:
    """A wire of the harness that shows a signal inside the kernel.

    Attributes
    ----------
    signal : str
        Its path from the kernel's module; a word of a memory has the index in brackets.
    """

    name: str
    signal: str
    width: int


@dataclass(frozen=True)
class Invariant:
    """Declarations and conditions in Verilog, over the harness' names and the probes."""

    probes: tuple[Probe, ...] = ()
    declared: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()

    def __add__(self, other: Invariant) -> Invariant:
        return Invariant(
            self.probes + other.probes, self.declared + other.declared, self.holds + other.holds
        )


def table(name: str, by: str, values: Iterable[int]) -> tuple[str, ...]:
    """A signed number for each value of a counter."""
    lines = [f"reg signed [15:0] {name};", f"always @* case ({by})"]
    lines += [f"  {place}: {name} = {int(value)};" for place, value in enumerate(values)]
    return (*lines, f"  default: {name} = 0;", "endcase")


def counter(path: str, states: int, expected: str) -> Invariant:
    """A `bonn_counter`: its value if a condition over `value` holds, and `last`, a register."""
    if states == 1:
        return Invariant()
    name = path.replace(".", "_")
    value = Probe(f"{name}_value", f"{path}.value", (states - 1).bit_length())
    last = Probe(f"{name}_last", f"{path}.last", 1)
    return Invariant(
        (value, last),
        holds=(
            f"{value.name} < {states} && {last.name} == ({value.name} == {states - 1})",
            expected.replace("value", value.name),
        ),
    )


def steps(facts: Facts) -> Invariant:
    """Steps done in the frame that leaves, where a step is an output beat, in one register."""
    last = facts.beats[1] - 1
    return Invariant(
        declared=(
            f"wire ends = m_valid && op == {last};",
            "wire [15:0] done = ends ? 0 : op + m_valid;",
            "wire signed [15:0] front = ahead - $signed({1'b0, ends});",
            "wire signed [15:0] front_before = before - $signed({1'b0, ends});",
        ),
        holds=(f"ip < {facts.beats[0]} && op <= {last}",),
    )
