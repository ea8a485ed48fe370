# SPDX-License-Identifier: BSD-3-Clause
"""C++ of the data: a function per block, a statement per gate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bonn_hw.sliced.forms import Form, any_of_three
from bonn_hw.sliced.netlist import ONE, Gate, Memory, Net, Register
from bonn_hw.sliced.order import OUTPUT, Block, Latch, Needs, State, enable, taken
from bonn_hw.sliced.places import Places

Home = tuple[int, Needs]  # the block of a gate, and the needs under which it is computed there


class _Scope:
    """Statements, and the gates that are known as local values in them."""

    def __init__(self, places: Places) -> None:
        self.places, self.lines, self.known = places, list[str](), set[Net]()

    def stored(self, net: Net) -> str:
        """The stored value of a net."""
        return f"t{net}" if net in self.known else self.places.vector(net)

    def value(self, net: Net, inverted: bool = False) -> str:
        """The value of a net, or its inverse."""
        return f"{'~' * ((net in self.places.inverted) != inverted)}{self.stored(net)}"

    def gate(self, gate: Gate, keep: bool) -> None:
        """Compute a gate; ``keep`` it where others find it."""
        operands = [self.stored(net) for net in gate.inputs]
        if self.places.netlist.fan_in == 3:
            text = any_of_three(gate.table, operands)
        else:
            inverted = [net in self.places.inverted for net in gate.inputs]
            text = Form.of(gate, inverted).text(operands)
        self.lines.append(f"const V t{gate.output} = {text};")
        self.known.add(gate.output)
        if keep:
            self.lines.append(f"{self.places.text(gate.output)} = t{gate.output};")


def functions(places: Places) -> list[str]:
    """A function ``void f<i>(Lanes& l)`` for each block."""
    kept = _kept(places.ordered.blocks)
    blocks = enumerate(places.ordered.blocks)
    return [
        f"void f{place}(Lanes& l) {{\n{_block(places, block, kept)}\n}}" for place, block in blocks
    ]


def output(places: Places) -> str:
    """The function that gives the output's data; it reads what no block has changed yet."""
    scope = _Scope(places)
    for gate in places.ordered.output:
        scope.gate(gate, keep=False)
    bits = [scope.value(net) for net in places.netlist.ports[OUTPUT]]
    lines = [*scope.lines, *(f"out[{place}] = {bit};" for place, bit in enumerate(bits))]
    return "\n".join(["void output_data(const Lanes& l, V* out) {", *lines, "}"])


def _kept(blocks: Sequence[Block]) -> frozenset[Net]:
    """The gates that are read in another place than that where they are computed."""
    home: dict[Net, Home] = {
        gate.output: (place, needs)
        for place, block in enumerate(blocks)
        for needs, gates in block.gates
        for gate in gates
    }
    kept: set[Net] = set()
    for place, block in enumerate(blocks):
        readers: list[tuple[Needs, Iterable[Net]]] = [
            (needs, gate.inputs) for needs, gates in block.gates for gate in gates
        ]
        # States of several enables take their values behind all gates.
        single = len(block.enables) == 1
        by = block.enables if single else Needs()
        readers += [(by, taken(state)) for part in block.parts for state in part]
        for needs, nets in readers:
            kept |= {net for net in nets if home.get(net, (place, needs)) != (place, needs)}
    return frozenset(kept)


def _block(places: Places, block: Block, kept: frozenset[Net]) -> str:
    lines: list[str] = []
    single = len(block.enables) == 1
    groups: Mapping[Needs, Sequence[Gate]] = dict(block.gates)
    if single:  # without gates, there are its states
        groups = {**groups, block.enables: groups.get(block.enables, ())}
    for needs, gates in groups.items():
        scope = _Scope(places)
        if single and needs == block.enables:
            _in_turn(scope, block, gates, kept)
        else:
            for gate in gates:
                scope.gate(gate, gate.output in kept)
        lines += [f"if ({_any(places, needs)}) {{", *scope.lines, "}"]
    if not single:
        scope = _Scope(places)
        for part in block.parts:
            _step(scope, part, guarded=True)
        lines += scope.lines
    return "\n".join(lines)


def _any(places: Places, needs: Needs) -> str:
    """The condition that one of some control nets is set."""
    return "true" if ONE in needs else " | ".join(places.text(net) for net in sorted(needs))


def _in_turn(scope: _Scope, block: Block, gates: Sequence[Gate], kept: frozenset[Net]) -> None:
    """Part after part: the gates that it needs, then its next values."""
    driver = {gate.output: gate for gate in gates}

    def compute(net: Net) -> None:
        ahead = [net]
        while ahead:
            gate = driver.get(ahead[-1])
            inputs = gate.inputs if gate else ()
            missing = [one for one in inputs if one in driver and one not in scope.known]
            if missing:
                ahead += missing
                continue
            ahead.pop()
            if gate and gate.output not in scope.known:
                scope.gate(gate, gate.output in kept)

    for part in block.parts:
        for state in part:
            for net in taken(state):
                compute(net)
        _step(scope, part, guarded=False)


def _step(scope: _Scope, part: Sequence[State], guarded: bool) -> None:
    """The clock's edge for a part: words that are read, words that are written, registers."""
    places, lines = scope.places, scope.lines
    held: dict[Net, str] = {}

    def new(net: Net, inverted: bool = False) -> str:
        flip = (net in places.inverted) != inverted
        return f"{'~' * flip}{held.get(net) or scope.stored(net)}"

    # Old values that others of the part take without a gate between.
    own = {net for state in part for net in _held_by(state)}
    for net in dict.fromkeys(net for state in part for net in taken(state) if net in own):
        lines.append(f"const V o{net} = {scope.stored(net)};")
        held[net] = f"o{net}"
    for state in sorted(part, key=lambda one: (Latch, Memory, Register).index(type(one))):
        if guarded:
            lines.append(f"if ({places.text(enable(state))}) {{")
        if isinstance(state, Latch):
            copy = places.copy(state.memory, state.read)
            if state.read.transparent:
                (write,) = state.memory.writes
                pairs = zip(state.read.data, write.data, strict=True)
                passed = " ".join(f"{places.text(to)} = {new(net)};" for to, net in pairs)
                copy = f"if ({places.passes(state.memory, state.read)}) {{ {passed} }} else {copy}"
            lines.append(copy)
        elif isinstance(state, Memory):
            for write in state.writes:
                word = places.word(state, write)
                lines += [f"{word}[{i}] = {new(net)};" for i, net in enumerate(write.data)]
        else:
            inverted = state.output in places.inverted
            lines.append(f"{places.text(state.output)} = {new(state.data, inverted)};")
        if guarded:
            lines.append("}")


def _held_by(state: State) -> tuple[Net, ...]:
    """The nets whose value changes when a state takes its next value."""
    if isinstance(state, Register):
        return (state.output,)
    if isinstance(state, Latch):
        return state.read.data
    return tuple(net for read in state.reads if read.enable is None for net in read.data)
