# SPDX-License-Identifier: BSD-3-Clause
"""Netlists as values: reading, independence, lookups, and the order of a cycle."""

from itertools import product

import numpy as np
import pytest

from bonn_hw.errors import UserError
from bonn_hw.sliced import lookups
from bonn_hw.sliced.forms import Form
from bonn_hw.sliced.independence import DataDependent, split
from bonn_hw.sliced.netlist import ONE, ZERO, Gate, Memory, Netlist, Read, Register, Write, read
from bonn_hw.sliced.order import components, enable, order

X, VALID, READY = 2, 3, 4  # the ports of all netlists here: s_axis_tdata, the handshakes


def netlist(gates=(), registers=(), memories=(), output=X, valid=VALID, names=()):
    ports = {
        "s_axis_tdata": (X,),
        "s_axis_tvalid": (VALID,),
        "s_axis_tready": (READY,),
        "m_axis_tdata": (output,),
        "m_axis_tvalid": (valid,),
        "m_axis_tready": (READY,),
        "probe": (VALID,),
    }
    return Netlist(tuple(gates), tuple(registers), tuple(memories), ports, dict(names))


def values(gates, known):
    """The values of all nets, from those that are known."""
    found = {ZERO: 0, ONE: 1, **known}
    for gate in gates:
        code = sum(found[net] << place for place, net in enumerate(gate.inputs))
        found[gate.output] = gate.table >> code & 1
    return found


@pytest.mark.parametrize("inputs", [0, 1, 2])
def test_a_form_is_the_gate_however_its_nets_are_stored(inputs):
    for table in range(1 << (1 << inputs)):
        for flips in product((False, True), repeat=inputs):
            form = Form.of(Gate(tuple(range(2, 2 + inputs)), 9, table), flips)
            for given in product((0, 1), repeat=inputs):
                stored = [
                    ~-(value ^ flip) & 1 ^ 1 for value, flip in zip(given, flips, strict=True)
                ]
                text = form.text([str(value) for value in stored]).replace("zeros", "0")
                code = sum(value << place for place, value in enumerate(given))
                assert (eval(text) & 1) ^ form.inverted == table >> code & 1


@pytest.mark.parametrize("seed", range(4))
def test_a_lookup_at_data_becomes_multiplexers(seed):
    start = np.random.default_rng(seed).integers(0, 2, (11, 3), dtype=np.uint8)
    address, word = (X, 10, 11, 12), (20, 21, 22)
    at_once = Memory("table", start, (Read(address, word, None),), ())
    found = lookups.without(netlist(memories=[at_once], gates=[Gate(word, 30, 0)]), {X})
    assert found.memories == ()
    for place in range(11):
        bits = {net: place >> bit & 1 for bit, net in enumerate(address)}
        given = values([g for g in found.gates if g.output != 30], bits)
        assert [given[net] for net in word] == start[place].tolist()


def test_an_enable_of_data_becomes_a_multiplexer():
    found = split(netlist(registers=[Register(VALID, 10, X, 0)], output=10))
    (register,) = found.netlist.registers
    assert register.enable == ONE and register.data in found.data
    for enabled, new, old in product((0, 1), repeat=3):
        given = values(found.netlist.gates, {X: enabled, VALID: new, 10: old})
        assert given[register.data] == (new if enabled else old)


def test_a_path_through_a_memory_is_found_and_named():
    memory = Memory(
        "ring",
        np.zeros((2, 1), np.uint8),
        (Read((VALID,), (10,), None),),
        (Write((VALID,), (X,), READY),),
    )
    names = {10: "stage.beat", X: "s_axis_tdata"}
    split(netlist(memories=[memory], output=10))
    with pytest.raises(DataDependent, match=r"m_axis_tvalid depends on data, through stage\.beat:"):
        split(netlist([Gate((10, VALID), 11, 8)], (), [memory], valid=11, names=names))


def test_an_address_of_data_in_a_memory_that_is_written_is_refused():
    start = np.zeros((2, 1), np.uint8)
    memory = Memory("ring", start, (Read((X,), (10,), ONE),), (Write((VALID,), (X,), READY),))
    message = "an address or an enable of the memory ring depends on data, through s_axis_tdata:"
    with pytest.raises(DataDependent, match=message):
        split(netlist(memories=[memory], output=10))


def test_readers_come_before_what_they_read():
    """A shift register from data to output, and a counter of data that feeds itself."""
    shift = [Register(X, 10, VALID, 0), Register(10, 11, VALID, 0), Register(11, 12, READY, 0)]
    toggle = Register(20, 21, VALID, 0)
    gates = [Gate((21, 10), 20, 6), Gate((12, 21), 30, 8)]
    found = order(split(netlist(gates, [*shift, toggle], output=30)))
    assert [gate.output for gate in found.output] == [30]
    states = [state.output for block in found.blocks for part in block.parts for state in part]
    assert sorted(states) == [10, 11, 12, 21]
    assert states.index(12) < states.index(11) < states.index(10)
    assert states.index(21) < states.index(10)
    for block in found.blocks:
        assert len({enable(state) for part in block.parts for state in part}) == 1
    assert [by for block in found.blocks for by, _ in block.gates] == [frozenset([VALID])]


def test_a_circle_of_gates_is_refused():
    gates = [Gate((X, 11), 10, 8), Gate((10,), 11, 1)]
    with pytest.raises(ValueError, match="the gates form a circle"):
        order(split(netlist(gates)))


def test_components():
    part = components({"a": ["b"], "b": ["c"], "c": ["b"], "d": ["a", "d"]})
    assert part["b"] == part["c"]
    assert len(set(part.values())) == 3


def memory_cell(**changed):
    parameters = {
        "MEMID": "\\ring", "WIDTH": "10", "SIZE": "10", "ABITS": "01", "OFFSET": "0",
        "INIT": "xx01", "RD_PORTS": "1", "RD_CLK_ENABLE": "1", "RD_TRANSPARENCY_MASK": "0",
        "WR_PORTS": "1",
    }  # fmt: skip
    pins = {
        "RD_ADDR": [2], "RD_DATA": [10, 11], "RD_EN": ["1"], "RD_ARST": ["0"], "RD_SRST": ["0"],
        "WR_ADDR": [3], "WR_DATA": [2, 2], "WR_EN": [4, 4],
    }  # fmt: skip
    cell = {"type": "$mem_v2", "parameters": parameters, "connections": pins | changed}
    names = {"probe": {"bits": [3], "attributes": {}}}
    return {"cells": {"cell": cell}, "ports": {"s_axis_tdata": {"bits": [2]}}, "netnames": names}


def test_a_memory_is_read():
    (memory,) = read(memory_cell()).memories
    assert memory.name == "ring"
    assert memory.start.tolist() == [[1, 0], [0, 0]]  # word 0 is the lowest of INIT
    assert memory.reads == (Read((2,), (10, 11), ONE),)
    assert memory.writes == (Write((3,), (2, 2), 4),)


def test_a_memory_of_another_form_is_refused_by_name():
    with pytest.raises(UserError) as error:
        read(memory_cell(WR_EN=[4, 5]))
    assert str(error.value) == (
        "simulate: the memory ring has resets, several write ports, or writes parts of a word, "
        "which the bit-sliced engine does not simulate: choose --engine verilator"
    )


def test_an_unknown_cell_is_told():
    module = memory_cell()
    module["cells"]["cell"]["type"] = "LUT6"
    with pytest.raises(ValueError, match="cells of type LUT6 are not known"):
        read(module)
