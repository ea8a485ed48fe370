# SPDX-License-Identifier: BSD-3-Clause
"""Netlists that are equal at all times, and faults that no run may reach."""

import random
from dataclasses import replace

import pytest

from bonn_hw.bitstream.readback.equality import difference
from bonn_hw.bitstream.readback.netlist import PARITY, Memory, Netlist, Port, Register, Table
from bonn_hw.bitstream.readback.placed import Placed

PINS, FLOPS, TABLES = 5, 12, 30
AND, XOR, INVERTER = 0b1000, 0b0110, 0b01


def design(seed=1):
    """Tables, registers and a memory; each drives a pin."""
    rng = random.Random(seed)
    inputs = {f"in{pin}": 2 + pin for pin in range(PINS)}
    flops = range(2 + PINS, 2 + PINS + FLOPS)
    first = flops.stop
    reads = range(first, first + 9)
    known = [*inputs.values(), *flops, *reads]
    tables = []
    for net in range(reads.stop, reads.stop + TABLES):
        chosen = tuple(rng.sample(known, rng.randint(2, 6)))
        tables.append(Table(net, chosen, rng.getrandbits(1 << len(chosen))))
        known.append(net)
    registers = [
        Register(net, *rng.sample(known, 3), rng.getrandbits(1), rng.getrandbits(1))
        for net in flops
    ]
    address = tuple(rng.sample(known, 11))
    memory = Memory(
        "words",
        rng.getrandbits(PARITY + 2048),
        (Port(address, 8, known[3], tuple(reads), known[4], 5, 6),),
        (Port(address[::-1], 8, known[5], tuple(rng.sample(known, 9))),),
    )
    outputs = {f"out{net}": net for net in known}
    return Netlist(len(known) + 2, tuple(tables), tuple(registers), (memory,), inputs, outputs)


def shuffled(one, seed=2):
    """The same netlist: other numbers of nets, and another order of everything."""
    rng = random.Random(seed)
    new = [0, 1, *rng.sample(range(2, one.nets), one.nets - 2)]

    def table(old):
        order = rng.sample(range(len(old.inputs)), len(old.inputs))
        contents = 0
        for index in range(1 << len(order)):
            place = sum((index >> here & 1) << there for here, there in enumerate(order))
            contents |= (old.contents >> place & 1) << index
        return Table(new[old.output], tuple(new[old.inputs[place]] for place in order), contents)

    def port(old):
        nets = {name: tuple(new[net] for net in getattr(old, name)) for name in ("address", "data")}
        return replace(old, enable=new[old.enable], reset=new[old.reset], **nets)

    registers = [
        replace(
            old, **{name: new[getattr(old, name)] for name in ("output", "data", "enable", "reset")}
        )
        for old in one.registers
    ]
    memories = [
        replace(old, reads=tuple(map(port, old.reads)), writes=tuple(map(port, old.writes)))
        for old in one.memories
    ]
    return replace(
        one,
        tables=tuple(map(table, one.tables)),
        registers=tuple(rng.sample(registers, len(registers))),
        memories=tuple(memories),
        inputs={pin: new[net] for pin, net in one.inputs.items()},
        outputs={pin: new[net] for pin, net in one.outputs.items()},
    )


def changed(one, kind, place, **values):
    """The netlist with one of its parts changed."""
    parts = list(getattr(one, kind))
    parts[place] = replace(parts[place], **values)
    return replace(one, **{kind: tuple(parts)})


def table_bit(rng, one):
    place = rng.randrange(TABLES)
    old = one.tables[place]
    bit = rng.randrange(1 << len(old.inputs))
    return changed(one, "tables", place, contents=old.contents ^ 1 << bit)


def permuted_table(rng, one):
    """Wires change places at a table, and its contents do not."""
    place = rng.choice([place for place, old in enumerate(one.tables) if len(old.inputs) > 4])
    inputs = one.tables[place].inputs
    return changed(one, "tables", place, inputs=(inputs[1], inputs[0], *inputs[2:]))


def swapped_wires(rng, one):
    """Two registers take what the other one must take."""
    first, other = rng.sample(range(FLOPS), 2)
    data = one.registers[first].data
    once = changed(one, "registers", first, data=one.registers[other].data)
    return changed(once, "registers", other, data=data)


def wrong_order(rng, one):
    """Two rows of the memory change places."""
    contents = one.memories[0].contents
    first, other = (256 * row for row in rng.sample(range(64), 2))
    both = (contents >> first ^ contents >> other) & (1 << 256) - 1
    return changed(one, "memories", 0, contents=contents ^ (both << first | both << other))


def memory_bit(rng, one):
    contents = one.memories[0].contents ^ 1 << rng.randrange(PARITY + 2048)
    return changed(one, "memories", 0, contents=contents)


def start(rng, one):
    place = rng.randrange(FLOPS)
    return changed(one, "registers", place, start=1 - one.registers[place].start)


FAULTS = (table_bit, permuted_table, swapped_wires, wrong_order, memory_bit, start)


def test_equal_whatever_the_nets_are_called():
    one = design()
    assert difference(one, Placed(one, {})) is None
    for seed in range(5):
        assert difference(shuffled(one, seed), Placed(one, {})) is None


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.__name__)
def test_planted_faults(kind):
    """Four of each kind, 24 in all."""
    one = design()
    for seed in range(4):
        bad = shuffled(kind(random.Random(seed), one), seed)
        assert difference(bad, Placed(one, {})) is not None, seed


def ring(contents=AND):
    """Two registers of which one is 1, in turn; the pin is 1 when both are, which is never."""
    tables = (Table(4, (2, 3), contents),)
    registers = (Register(2, 3, 1, 0, 0, 0), Register(3, 2, 1, 0, 0, 1))
    return Netlist(5, tables, registers, (), {}, {"out": 4, "turn": 2})


def test_an_entry_that_no_run_reaches():
    names = Placed(ring(), {2: "first", 3: "second", 4: "both"})
    assert difference(ring(), names) is None
    never = AND ^ 0b1000  # the output is 0 in all the cycles, as before
    assert difference(ring(never), names) == (
        "the pin out of the processing system is driven by something else"
    )


def test_the_place_of_a_fault_is_told():
    names = Placed(ring(), {2: "first", 3: "second", 4: "both"})
    bad = changed(ring(), "registers", 0, start=1)
    assert difference(bad, names) == "nothing does what first must do"
    one = design()
    bad = changed(one, "memories", 0, contents=one.memories[0].contents ^ 1)
    assert difference(bad, Placed(one, {})) == "nothing does what words must do"


def test_what_reaches_no_pin_does_not_count():
    one = design()
    more = replace(
        one,
        nets=one.nets + 1,
        registers=(*one.registers, Register(one.nets, 2, 1, 0, 0, 0)),
    )
    assert difference(more, Placed(one, {})) is None
