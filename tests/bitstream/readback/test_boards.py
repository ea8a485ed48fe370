# SPDX-License-Identifier: BSD-3-Clause
"""Netlists on many boards at once: tables, registers, memories, and the processor's two ports."""

import numpy as np
import pytest

from bonn_hw.bitstream.readback.board import WATCHED, Boards
from bonn_hw.bitstream.readback.frames import ReadbackFault
from bonn_hw.bitstream.readback.machine import LanesMachine
from bonn_hw.bitstream.readback.netlist import PARITY, Memory, Netlist, Port, Register, Table
from bonn_hw.driver import registers as reg

AND, XOR, AND_NOT = 0b1000, 0b0110, 0b0010


class Circuit:
    """A netlist that grows; it answers every register access in the next cycle."""

    def __init__(self):
        self.count, self.tables, self.registers, self.memories = 2, [], [], []
        self.outputs = {}
        for name, width in WATCHED.items():
            bits = (f"{name}{bit}" for bit in range(width))
            self.outputs |= dict.fromkeys(bits if width > 1 else (name,), 0)
        self.inputs = {}
        self.outputs["MAXIGP0RLAST"] = 1
        for way, answer in (("AW", "B"), ("AR", "R")):
            asked = self.pin(f"MAXIGP0{way}VALID")
            given = self.net()
            asked_now = self.table(AND_NOT, asked, given)
            self.registers.append(Register(given, asked_now, 1, 0, 0, 0))
            self.outputs |= {f"MAXIGP0{way}READY": asked_now, f"MAXIGP0{answer}VALID": given}
            for bit in range(12):
                self.outputs[f"MAXIGP0{answer}ID{bit}"] = self.pin(f"MAXIGP0{way}ID{bit}")
        self.outputs["MAXIGP0WREADY"] = self.outputs["MAXIGP0AWREADY"]

    def net(self):
        self.count += 1
        return self.count - 1

    def pin(self, name):
        if name not in self.inputs:
            self.inputs[name] = self.net()
        return self.inputs[name]

    def table(self, contents, *inputs):
        self.tables.append(Table(self.net(), inputs, contents))
        return self.tables[-1].output

    def register(self, data, enable=1, reset=0, to=0, start=0):
        self.registers.append(Register(self.net(), data, enable, reset, to, start))
        return self.registers[-1].output

    def boards(self, memory=8192):
        parts = (self.tables, self.registers, self.memories)
        return Boards(Netlist(self.count, *map(tuple, parts), self.inputs, self.outputs), memory)


@pytest.mark.parametrize("inputs", range(1, 7))
def test_tables(inputs):
    """All tables of a register's address: 32 random ones."""
    rng = np.random.default_rng(inputs)
    circuit = Circuit()
    tables = [int(rng.integers(0, 1 << 63)) % (1 << 2**inputs) for _ in range(32)]
    pins = [circuit.pin(f"MAXIGP0ARADDR{bit}") for bit in range(inputs)]
    for bit, contents in enumerate(tables):
        circuit.outputs[f"MAXIGP0RDATA{bit}"] = circuit.table(contents, *pins)
    with circuit.boards() as boards:
        for address in range(1 << inputs):
            expected = sum((contents >> address & 1) << bit for bit, contents in enumerate(tables))
            assert boards.read(address) == expected


def test_registers():
    """Enable, reset and start: read before and after writes."""
    circuit = Circuit()
    took = circuit.outputs["MAXIGP0AWREADY"]
    data, address = circuit.pin("MAXIGP0WDATA0"), circuit.pin("MAXIGP0AWADDR2")
    reset = circuit.table(AND, took, address)
    for bit, (to, start) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        circuit.outputs[f"MAXIGP0RDATA{bit}"] = circuit.register(data, took, reset, to, start)
    with circuit.boards() as boards:
        assert boards.read(0) == 0b1010
        boards.write(0, 1)
        assert boards.read(0) == 0b1111
        boards.write(0, 0)
        assert boards.read(0) == 0b0000
        boards.write(4, 0)  # the reset wins
        assert boards.read(0) == 0b1100


@pytest.mark.parametrize("width", [1, 2, 4, 8, 16, 32])
def test_memories(width):
    """Contents, parity bits, writes and reads of the same cycle: the read sees what was there."""
    circuit = Circuit()
    low = width.bit_length() - 1
    rows = tuple(circuit.pin(f"MAXIGP0AWADDR{bit}") for bit in range(9 if width == 32 else 10))
    rows = (*rows, *(0,) * (14 - low - len(rows)))[: 14 - low]
    took = circuit.outputs["MAXIGP0AWREADY"]
    bits = width + width // 8
    # 32 bits of a register, and the parity bits get its lowest ones.
    data = tuple(circuit.pin(f"MAXIGP0WDATA{bit % width}") for bit in range(bits))
    seen = tuple(circuit.net() for _ in range(bits))
    shown = (*seen[width:], *seen[: min(width, 32 - width // 8)])
    for bit, net in enumerate(shown):
        circuit.outputs[f"MAXIGP0RDATA{bit}"] = net
    rng = np.random.default_rng(width)
    contents = int.from_bytes(rng.bytes(18432 // 8), "little")
    read, write = Port(rows, width, took, seen, 0, 0, 1), Port(rows, width, took, data)
    circuit.memories.append(Memory("one", contents, (read,), (write,)))
    known = {}

    def expected(row):
        value = contents >> row * width & (1 << width) - 1
        parity = contents >> PARITY + row * (width // 8) & (1 << width // 8) - 1
        value, parity = known.get(row, (value, parity))
        return (parity | value << width // 8) & 0xFFFFFFFF

    with circuit.boards() as boards:
        assert boards.read(0) == 1 << width // 8  # data bit 0 of what the port starts with
        for row in (0, 1, 5, 0, 400, 5):
            before = expected(row)
            word = int(rng.integers(0, 1 << width))
            boards.write(row, word)
            assert boards.read(0) == before
            known[row] = (word, word & (1 << width // 8) - 1)


def test_parity_bits_alone():
    """Row r of a port that begins at the parity bits is bit r of those."""
    circuit = Circuit()
    rows = (*(circuit.pin(f"MAXIGP0ARADDR{bit}") for bit in range(11)), *(0,) * 3)[:11]
    seen = circuit.net()
    circuit.outputs["MAXIGP0RDATA0"] = seen
    contents = int.from_bytes(np.random.default_rng(1).bytes(18432 // 8), "little")
    asked = circuit.outputs["MAXIGP0ARREADY"]
    circuit.memories.append(
        Memory("one", contents, (Port(rows, 1, asked, (seen,), first=PARITY),), ())
    )
    with circuit.boards() as boards:
        for row in (0, 1, 2, 1024, 2047):
            assert boards.read(row) == contents >> PARITY + row & 1


def test_rows_that_differ_between_boards():
    """Each board reads and writes a row of its own, which it got from its memory."""
    circuit = Circuit()
    for name in ("ARADDR12", "ARSIZE0", "ARSIZE1", "ARBURST0", "RREADY"):
        circuit.outputs[f"SAXIHP0{name}"] = 1
    wrote = circuit.outputs["MAXIGP0AWREADY"]
    writes = circuit.table(AND, wrote, circuit.pin("MAXIGP0AWADDR2"))
    circuit.outputs["SAXIHP0ARVALID"] = circuit.register(circuit.table(AND_NOT, wrote, writes))
    beat = circuit.pin("SAXIHP0RVALID")
    row = tuple(circuit.register(circuit.pin(f"SAXIHP0RDATA{bit}"), beat) for bit in range(10))
    seen = tuple(circuit.net() for _ in range(18))
    # Row r has r at the start; a write adds bit 11 to it. What is read is shown without the row.
    contents = sum(one << 16 * one for one in range(1024))
    write = Port(row, 16, writes, (*row, 0, 1, *(0,) * 6))
    circuit.memories.append(Memory("one", contents, (Port(row, 16, 1, seen),), (write,)))
    for bit in range(16):
        bits = (seen[bit], row[bit]) if bit < 10 else (seen[bit], 0)
        circuit.outputs[f"MAXIGP0RDATA{bit}"] = circuit.table(XOR, *bits)
    with circuit.boards() as boards:
        for board in range(boards.count):
            boards.store(4096, (board * 37 % 1024).to_bytes(2, "little"), board)
        boards.write(0, 0)
        boards.advance(10)
        assert boards.read(0) == 0
        boards.write(4, 0)
        assert boards.read(0) == 1 << 11


def test_boards_that_differ_are_told():
    circuit = Circuit()
    for name in ("ARADDR12", "ARSIZE0", "ARSIZE1", "ARBURST0", "RREADY"):
        circuit.outputs[f"SAXIHP0{name}"] = 1
    wrote = circuit.outputs["MAXIGP0AWREADY"]
    circuit.outputs["SAXIHP0ARVALID"] = circuit.register(wrote)
    seen = circuit.register(circuit.pin("SAXIHP0RDATA3"), circuit.pin("SAXIHP0RVALID"))
    circuit.outputs["MAXIGP0RDATA5"] = seen
    with circuit.boards() as boards:
        for board in range(boards.count):
            boards.store(4096, bytes([8 * (board % 2)]), board)
        assert boards.load(4096, 1, 1) == b"\x08"
        boards.write(0, 0)
        boards.advance(10)
        with pytest.raises(
            ReadbackFault, match=r"^the boards differ at MAXIGP0RDATA5 \(cycle \d+\)$"
        ):
            boards.read(0)
        with pytest.raises(ValueError, match="2 bytes at 0x1fff are not in memory"):
            boards.load(8191, 2)


def test_rules_and_silence():
    circuit = Circuit()
    circuit.outputs["MAXIGP0BID3"] = 0
    with circuit.boards() as boards, pytest.raises(ReadbackFault, match=r"^AXI: a write's answer"):
        for _ in range(3):
            boards.write(0, 0)
    circuit = Circuit()
    circuit.outputs["MAXIGP0RVALID"] = 0
    told = r"^a read of a register is not answered \(cycle 1032\)$"
    with circuit.boards() as boards, pytest.raises(ReadbackFault, match=told):
        boards.read(0)
    circuit = Circuit()
    circuit.outputs["SAXIHP0ARVALID"] = 1  # a burst of one byte a word, during reset already
    with pytest.raises(ReadbackFault, match=r"^AXI: a burst is not of 8 bytes a word \(cycle 0\)$"):
        circuit.boards()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda pins: pins.pop("SAXIHP0WDATA7"), "nothing drives the pin SAXIHP0WDATA7"),
        (lambda pins: pins.update(IRQF2P4=1), "the pin IRQF2P4 of the processing system must be 0"),
    ],
)
def test_pins_of_the_processing_system(change, message):
    circuit = Circuit()
    change(circuit.outputs)
    with pytest.raises(ReadbackFault, match=f"^{message}"):
        circuit.boards()


def test_a_batch_is_dealt_out_to_the_boards():
    class Recorder:
        count = 4

        def __init__(self):
            self.memory, self.writes = {}, []

        def write(self, offset, value):
            self.writes.append((offset, value))

        def store(self, address, data, board):
            self.memory[board] = (address, data)

        def load(self, address, count, board):
            return bytes([10 * board + i for i in range(count)])

    recorder = Recorder()
    machine = LanesMachine(recorder, (2, 1))
    source, result = machine.allocate(12), machine.allocate(6)
    assert (source.address, result.address) == (4096, 8192)
    assert LanesMachine.memory((2, 1), 6, 4) == 3 * 4096
    source.array[:10] = range(10)  # five frames of two bytes: two for each board
    machine.write(reg.FRAMES, 5)
    machine.write(reg.CONTROL, reg.START)
    assert recorder.writes == [(reg.FRAMES, 2), (reg.CONTROL, reg.START)]
    assert [list(recorder.memory[board][1]) for board in range(4)] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9, 0, 1],
        [2, 3, 4, 5],
    ]
    result.invalidate()
    assert result.array.tolist() == [0, 1, 10, 11, 20, 0]
