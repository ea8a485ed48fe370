# SPDX-License-Identifier: BSD-3-Clause
"""What a slice's features mean, and tables in order."""

import itertools

import pytest

from bonn_hw.bitstream.readback.features import Enabled
from bonn_hw.bitstream.readback.frames import ReadbackFault
from bonn_hw.bitstream.readback.netlist import Register, Table
from bonn_hw.bitstream.readback.order import ordered, simplified
from bonn_hw.bitstream.readback.slices import FlipFlop, Function, define

INIT = 0x0123456789ABCDEF
PREFIX = "SLICEM_X0"


def enabled(*names, **tables):
    return Enabled(
        frozenset(f"{PREFIX}.{name}" for name in names),
        {f"{PREFIX}.{name}LUT.INIT": value for name, value in tables.items()},
    )


@pytest.mark.parametrize(
    ("signal", "names", "meaning"),
    [
        ("B", (), "B.O6"),
        ("COUT", (), "D.CY"),
        ("B.O6", (), Function(("B1", "B2", "B3", "B4", "B5", "B6"), INIT)),
        ("B.O5", (), Function(("B1", "B2", "B3", "B4", "B5"), INIT & 0xFFFFFFFF)),
        ("A.O6", (), Function(("A1", "A2", "A3", "A4", "A5", "A6"), 0)),
        ("BMUX", ("BOUTMUX.XOR",), "B.XOR"),
        ("BMUX", ("BOUTMUX.B5Q",), "B5Q"),
        ("BMUX", ("BOUTMUX.F8",), "B.F8"),
        ("B.XOR", (), Function(("B.O6", "A.CY"), 0b0110)),
        ("A.XOR", ("PRECYINIT.CIN",), Function(("A.O6", "CIN"), 0b0110)),
        ("A.XOR", ("PRECYINIT.C1",), Function(("A.O6", "1"), 0b0110)),
        ("A.XOR", (), Function(("A.O6", "0"), 0b0110)),
        ("B.CY", (), Function(("BX", "A.CY", "B.O6"), 0b11001010)),
        ("B.CY", ("CARRY4.BCY0",), Function(("B.O5", "A.CY", "B.O6"), 0b11001010)),
        ("A.F7", (), Function(("B.O6", "A.O6", "AX"), 0b11001010)),
        ("B.F8", (), Function(("C.F7", "A.F7", "BX"), 0b11001010)),
        ("BQ", ("BFFMUX.BX", "BFF.ZINI", "BFF.ZRST"), FlipFlop("BX", "1", "0", 0, 0)),
        (
            "BQ",
            ("BFFMUX.O6", "CEUSEDMUX", "SRUSEDMUX", "FFSYNC"),
            FlipFlop("B.O6", "CE", "SR", 1, 1),
        ),
        ("B5Q", ("B5FFMUX.IN_A", "B5FF.ZINI"), FlipFlop("B.O5", "1", "0", 1, 0)),
        ("B5Q", ("B5FFMUX.IN_B", "B5FF.ZRST"), FlipFlop("BX", "1", "0", 0, 1)),
    ],
)
def test_signals(signal, names, meaning):
    assert define(signal, PREFIX, enabled(*names, B=INIT)) == meaning


@pytest.mark.parametrize(
    ("signal", "names", "message"),
    [
        ("B.O6", ("BLUT.RAM",), "a SLICEM has its table B as RAM"),
        ("B.O5", ("BLUT.SRL",), "a SLICEM has its table B as SRL"),
        ("BMUX", (), "a SLICEM selects nothing with BOUTMUX"),
        ("BMUX", ("BOUTMUX.O5", "BOUTMUX.O6"), "a SLICEM selects O5 and O6 with BOUTMUX"),
        ("DQ", ("DFFMUX.MC31",), "a SLICEM selects MC31 with DFFMUX"),
        ("BQ", ("BFFMUX.BX", "LATCH"), "a SLICEM has latches"),
        ("BQ", ("BFFMUX.BX", "CLKINV"), "a SLICEM has an inverted clock"),
        ("BQ", ("BFFMUX.BX", "SRUSEDMUX"), "a SLICEM has an asynchronous reset"),
        ("B5Q", (), "a SLICEM selects no input for B5FF"),
        ("A.CY", ("PRECYINIT.AX", "PRECYINIT.C0"), "a SLICEM selects two inputs of its carry"),
    ],
)
def test_what_is_not_read(signal, names, message):
    with pytest.raises(ReadbackFault, match=f"^{message}"):
        define(signal, PREFIX, enabled(*names))


def value(table, nets):
    return table.contents >> sum(nets[net] << i for i, net in enumerate(table.inputs)) & 1


@pytest.mark.parametrize("contents", [INIT, 0xC3C3C3C3C3C3C3C3, 0xFF00FF00AAAAAAAA, 0, 2**64 - 1])
def test_a_simpler_table_is_the_same_table(contents):
    table = Table(9, (2, 1, 3, 2, 0, 4), contents)
    simple = simplified(table, {0: 0, 1: 1, 4: 3})
    assert set(simple.inputs) <= {2, 3} and len(set(simple.inputs)) == len(simple.inputs)
    for two, three in itertools.product((0, 1), repeat=2):
        nets = {0: 0, 1: 1, 2: two, 3: three, 4: three}
        assert value(simple, nets) == value(table, nets)


def test_an_input_that_does_not_matter_makes_no_circle():
    tables = [Table(5, (2, 6), 0b1010), Table(6, (5, 3), 0b0110), Table(7, (6,), 0b10)]
    register = Register(3, 7, 1, 0, 0, 0)
    found, outputs, registers, _ = ordered(tables, {"PIN": 7, "HIGH": 1}, [register], [])
    assert found == (Table(6, (2, 3), 0b0110),)  # table 5 is its first input
    assert (outputs, registers) == ({"PIN": 6, "HIGH": 1}, (Register(3, 6, 1, 0, 0, 0),))
    circle = [Table(5, (2, 6), 0b0110), Table(6, (5, 3), 0b0110)]
    with pytest.raises(ReadbackFault, match=r"^tables drive each other in a circle of 2$"):
        ordered(circle, {"PIN": 6}, [], [])
