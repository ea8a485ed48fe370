# SPDX-License-Identifier: BSD-3-Clause
"""Counting netlists that are written by hand."""

import pytest

from bonn_hw.synth.netlist import Use, pairs
from bonn_hw.synth.paths import LongestPath, longest_path


def cell(kind, inputs, outputs):
    return {
        "type": kind,
        "port_directions": {"I": "input", "O": "output"},
        "connections": {"I": list(inputs), "O": list(outputs)},
    }


def use(*cells):
    return Use.of({"cells": dict(enumerate(cells))})


def test_functions_share_a_lut_where_five_inputs_do():
    assert pairs_of([frozenset({1, 2, 3}), frozenset({1, 4, 5})]) == 1
    assert pairs_of([frozenset({1, 2, 3}), frozenset({1, 4, 5, 6})]) == 0  # six inputs
    assert pairs_of([frozenset({1, 2}), frozenset({3, 4})]) == 0  # they have none in common
    assert pairs_of([frozenset({1, 2, 3, 4, 5, 6}), frozenset({1})]) == 0
    assert pairs_of([frozenset({1, 2})] * 5) == 2
    assert pairs([frozenset({1, 2})] * 5, [True] * 4 + [False]) == 1  # beside carry chains


def pairs_of(functions):
    return pairs(functions, [False] * len(functions))


def chain(*selects):
    ports = {"S": "input", "O": "output"}
    return {"type": "CARRY4", "port_directions": ports, "connections": {"S": selects, "O": (99,)}}


def test_a_net_that_is_led_to_a_carry_chain_takes_a_lut():
    assert use(cell("LUT2", (1, 2), (3,)), cell("LUT2", (1, 2), (4,)), chain(3, 4)).lut == 2
    assert use(cell("LUT2", (1, 2), (3,)), cell("LUT2", (1, 2), (4,)), chain(3, 5, "0")).lut == 2


def test_what_is_counted():
    counted = use(
        cell("LUT2", (1, 2), (10,)),
        cell("LUT3", (1, 2, 3), (11,)),
        cell("LUT6", (1, 2, 3, 4, 5, 6), (12,)),
        cell("INV", (7,), (13,)),
        cell("RAM64M", (1,), (14,)),
        cell("SRL16E", (1,), (15,)),
        cell("SRL16E", (1,), (16,)),
        cell("SRLC32E", (1,), (17,)),
        cell("FDRE", (10,), (18,)),
        cell("FDSE", (11,), (19,)),
        cell("CARRY4", (10, 11, "0", "1"), (20,)),
        cell("RAMB36E1", (12,), (21,)),
        cell("RAMB18E1", (12,), (22,)),
        cell("DSP48E1", (12,), (23,)),
        cell("MUXF7", (10, 11, 3), (24,)),
        cell("$scopeinfo", (), ()),
    )
    assert counted == Use(
        lut=3 + 4 + 2, functions=4, lutram=4, srl=2, ff=2, carry=1, bram36=1.5, dsp=1, depth=1,
        longest=LongestPath(1, 0, "a net", "a net"),
    )  # fmt: skip


def test_depth_is_that_of_the_longest_path_between_registers():
    counted = use(
        cell("FDRE", (9,), (1,)),
        cell("LUT1", (1,), (2,)),
        cell("CARRY4", (2,), (3,)),
        cell("LUT1", (3,), (4,)),
        cell("MUXF7", (4,), (5,)),
        cell("LUT2", (5, 1), (6,)),
        cell("FDRE", (6,), (7,)),
        cell("LUT2", (7, 1), (8,)),
        cell("LUT2", (8, 1), (9,)),
    )
    assert counted.depth == 3


def test_what_is_written_to_a_memory_waits_for_its_clock():
    ports = {"ADDRA": "input", "ADDRD": "input", "WE": "input", "DOA": "output"}
    for port, depth in (("ADDRA", 2), ("ADDRD", 1), ("WE", 1)):
        nets = dict.fromkeys(ports, ("0",)) | {port: (1,), "DOA": (2,)}
        memory = {"type": "RAM32M", "port_directions": ports, "connections": nets}
        register = cell("FDRE", (2,), (3,))
        assert use(cell("LUT1", (9,), (1,)), memory, register).depth == depth


def linked(select, carry, output):
    ports = {"S": "input", "CI": "input", "O": "output"}
    nets = {"S": (select,), "CI": (carry,), "O": (output,)}
    return {"type": "CARRY4", "port_directions": ports, "connections": nets}


def test_a_carry_chain_is_one_level_and_the_first_is_not_counted():
    first = [cell("LUT1", (1,), (2,)), linked(2, "0", 3), linked("0", 3, 4), linked("0", 4, 5)]
    second = [cell("LUT1", (5,), (6,)), linked(6, "0", 7), linked("0", 7, 8)]
    one = use(*first, cell("FDRE", (5,), (9,)))
    assert (one.longest.luts, one.longest.chains, one.depth) == (1, 1, 1)
    two = use(*first, *second, cell("FDRE", (8,), (9,)))
    assert (two.longest.luts, two.longest.chains, two.depth) == (2, 2, 3)


def test_a_longer_path_without_a_chain_counts_more_than_a_shorter_one_with_it():
    plain = [cell("LUT1", (1,), (2,)), cell("LUT1", (2,), (3,))]
    counted = use(linked(1, "0", 4), cell("LUT2", (3, 4), (5,)), *plain, cell("FDRE", (5,), (6,)))
    assert str(counted.longest) == "3 LUT from a net to a net"


def test_the_ends_of_the_longest_path_have_the_names_of_the_sources():
    module = {
        "cells": {
            "a": cell("FDRE", (9,), (1,)),
            "b": cell("LUT1", (1,), (2,)),
            "c": cell("FDRE", (2,), (3,)),
        },
        "ports": {"ready": {"direction": "output", "bits": [4]}},
        "netnames": {
            "unit.count.value": {"hide_name": 0, "bits": [7, 1]},
            "$abc$12": {"hide_name": 1, "bits": [1]},
            "unit.count.value_copied": {"hide_name": 0, "bits": [1]},
            "last": {"hide_name": 0, "bits": [3]},
            "ready": {"hide_name": 0, "bits": [4]},
        },
    }
    assert str(longest_path(module)) == "1 LUT from unit.count.value[1] to last"
    module["cells"] |= {"d": cell("LUT1", (2,), (4,))}
    assert str(longest_path(module)) == "2 LUT from unit.count.value[1] to ready"
    module["cells"] = {"a": cell("FDRE", (9,), (1,))}
    assert longest_path(module) is None


def test_cells_that_are_not_known():
    with pytest.raises(ValueError, match="cells of type NAND are not known"):
        use(cell("NAND", (1,), (2,)))
