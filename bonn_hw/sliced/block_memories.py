# SPDX-License-Identifier: BSD-3-Clause
"""LUT memories and block memories of Xilinx devices -> Yosys' memories.

Columns of a bit with the same ports are one memory: a wide memory of the RTL is one again. The
places of bits in words, and of words in INIT, are those of UG473, UG474 and UG573.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from bonn_hw.sliced.primitives import Bit, Cells, Primitive
from bonn_hw.synth import cells

# Ports of one address, and what each holds: depth, bits of a port, their letters.
LUT_PORTS = {
    "RAM32M": (32, 2, "ABCD"), "RAM64M": (64, 1, "ABCD"),
    "RAM32M16": (32, 2, "ABCDEFGH"), "RAM64M8": (64, 1, "ABCDEFGH"),
}  # fmt: skip
LINE = 256  # bits of a parameter INIT_00, INIT_01, ... of a block memory
SIDES = ("A", "B")
ADDRESSES = {"A": "ADDRARDADDR", "B": "ADDRBWRADDR"}
ENABLES = {"A": "ENARDEN", "B": "ENBWREN"}
WRITES = {"A": "WEA", "B": "WEBWE"}
RESETS = {"A": "RSTRAMARSTRAM", "B": "RSTRAMB"}
# Pins of the data, and of their parity bits, by generation and side.
INPUTS = {
    "1": {"A": ("DIADI", "DIPADIP"), "B": ("DIBDI", "DIPBDIP")},
    "2": {"A": ("DINADIN", "DINPADINP"), "B": ("DINBDIN", "DINPBDINP")},
}
OUTPUTS = {
    "1": {"A": ("DOADO", "DOPADOP"), "B": ("DOBDO", "DOPBDOP")},
    "2": {"A": ("DOUTADOUT", "DOUTPADOUTP"), "B": ("DOUTBDOUT", "DOUTPBDOUTP")},
}


@dataclass(frozen=True)
class ReadPort:
    """A read port; without an enable, the word follows the address at once."""

    address: tuple[Bit, ...]
    enable: Bit | None = None
    transparent: bool = False


@dataclass(frozen=True)
class WritePort:
    """A write port."""

    address: tuple[Bit, ...]
    enable: Bit


@dataclass(frozen=True)
class Ports:
    """What the columns of a memory have in common."""

    depth: int
    reads: tuple[ReadPort, ...]
    write: WritePort | None


@dataclass(frozen=True)
class Column:
    """A bit of all words: what it holds at the start, the bit that is written, those read."""

    start: str
    written: Bit
    read: tuple[Bit, ...]


Part = tuple[Ports, Column]


def is_memory(kind: str) -> bool:
    """Whether a primitive is a LUT memory or a block memory."""
    return kind in cells.LUT_MEMORIES or kind in cells.BLOCK_MEMORIES


def columns(out: Cells, one: Primitive, used: Container[Bit]) -> Iterator[Part]:
    """The columns of a memory that anything reads."""
    if one.kind in LUT_PORTS:
        found = _of_ports(out, one)
    elif one.kind in cells.LUT_MEMORIES:
        found = _of_one_bit(out, one)
    else:
        found = _of_block(out, one)
    for ports, column in found:
        alive = [place for place, bit in enumerate(column.read) if bit in used]
        if alive:
            reads = tuple(ports.reads[place] for place in alive)
            bits = tuple(column.read[place] for place in alive)
            yield Ports(ports.depth, reads, ports.write), Column(column.start, column.written, bits)


def add(out: Cells, ports: Ports, found: Sequence[Column]) -> None:
    """A memory of Yosys' with some columns."""
    reads, write, width = ports.reads, ports.write, len(found)
    abits = (ports.depth - 1).bit_length()
    clocked = sum((read.enable is not None) << place for place, read in enumerate(reads))
    transparent = sum(read.transparent << place for place, read in enumerate(reads))
    words = (column.start[word] for word in reversed(range(ports.depth)) for column in found[::-1])
    unset = "x" * (width * len(reads))
    parameters: dict[str, int | str] = {
        "MEMID": f"\\memory{len(out.made)}", "SIZE": ports.depth, "OFFSET": 0, "ABITS": abits,
        "WIDTH": width, "INIT": "".join(words),
        "RD_PORTS": len(reads), "RD_CLK_ENABLE": _binary(clocked, len(reads)),
        "RD_CLK_POLARITY": "1" * len(reads), "RD_TRANSPARENCY_MASK": _binary(
            transparent if write else 0, len(reads)),
        "RD_COLLISION_X_MASK": "0" * len(reads), "RD_WIDE_CONTINUATION": "0" * len(reads),
        "RD_CE_OVER_SRST": "0" * len(reads), "RD_ARST_VALUE": unset, "RD_SRST_VALUE": unset,
        "RD_INIT_VALUE": unset,
        "WR_PORTS": int(write is not None), "WR_CLK_ENABLE": "1", "WR_CLK_POLARITY": "1",
        "WR_PRIORITY_MASK": "0", "WR_WIDE_CONTINUATION": "0",
    }  # fmt: skip
    out.add(
        "$mem_v2",
        parameters,
        RD_CLK=[out.clock if read.enable is not None else "0" for read in reads],
        RD_EN=["1" if read.enable is None else read.enable for read in reads],
        RD_ARST=["0"] * len(reads),
        RD_SRST=["0"] * len(reads),
        RD_ADDR=[bit for read in reads for bit in read.address],
        RD_DATA=[column.read[place] for place in range(len(reads)) for column in found],
        WR_CLK=[out.clock] if write else [],
        WR_EN=[write.enable] * width if write else [],
        WR_ADDR=[*write.address] if write else [],
        WR_DATA=[column.written for column in found] if write else [],
    )


def _binary(number: int, bits: int) -> str:
    return format(number, f"0{bits}b")


def _of_ports(out: Cells, one: Primitive) -> Iterator[Part]:
    """Memories with a read address for each port, written at the address of the last."""
    out.check_clock(one, "WCLK")
    depth, width, letters = LUT_PORTS[one.kind]
    abits = depth.bit_length() - 1
    write = WritePort(one.nets(f"ADDR{letters[-1]}", abits), one.pin("WE"))
    for letter in letters:
        start = one.bits(f"INIT_{letter}", depth * width)
        ports = Ports(depth, (ReadPort(one.nets(f"ADDR{letter}", abits)),), write)
        outputs, inputs = one.nets(f"DO{letter}", width), one.nets(f"DI{letter}", width)
        for bit, (written, read) in enumerate(zip(inputs, outputs, strict=True)):
            yield ports, Column(start[bit::width], written, (read,))


def _of_one_bit(out: Cells, one: Primitive) -> Iterator[Part]:
    """Memories of one bit: read at the address that is written, and at a second one."""
    out.check_clock(one, "WCLK")
    depth = int(one.kind[3:].partition("X")[0])
    abits = depth.bit_length() - 1
    address = one.numbered("A", abits)
    write = WritePort(address, one.pin("WE"))
    reads, outputs = [ReadPort(address)], [one.pin("SPO" if one.kind.endswith("D") else "O")]
    if one.kind.endswith("D"):
        reads.append(ReadPort(one.numbered("DPRA", abits)))
        outputs.append(one.pin("DPO"))
    start = one.bits("INIT", depth)
    yield Ports(depth, tuple(reads), write), Column(start, one.pin("D"), tuple(outputs))


@dataclass(frozen=True)
class _Words:
    """The words of a block memory: bits of data and of parity, a bit of parity for each byte."""

    data: int
    parity: int
    depth: int
    contents: str  # what INIT_00, INIT_01, ... say, from the lowest bit on
    parities: str

    @classmethod
    def of(cls, one: Primitive, width: int) -> _Words:
        """The words of a width."""
        lines = 0x80 if one.kind.startswith("RAMB36") else 0x40
        parity = width // 9
        data = 8 * parity or width
        contents = "".join(one.bits(f"INIT_{line:02X}", LINE) for line in range(lines))
        parities = "".join(one.bits(f"INITP_{line:02X}", LINE) for line in range(lines // 8))
        return cls(data, parity, lines * LINE // data, contents, parities)

    def column(self, bit: int) -> str:
        """A bit of all words at the start."""
        if bit < self.data:
            return self.contents[bit :: self.data]
        return self.parities[bit - self.data :: self.parity]

    def byte(self, bit: int) -> int:
        """Which enable of the write port a bit has."""
        return bit // 8 if bit < self.data else bit - self.data

    def address(self, one: Primitive, side: str) -> tuple[Bit, ...]:
        """The nets that say which word; those below them would say which bit of data."""
        low, bits = self.data.bit_length() - 1, self.depth.bit_length() - 1
        return one.nets(ADDRESSES[side], low + bits)[low:]


def _of_block(out: Cells, one: Primitive) -> Iterator[Part]:
    """Block memories: two sides, which read or write words of one width."""
    reading, writing = (
        {side: one.number(f"{what}_WIDTH_{side}") for side in SIDES} for what in ("READ", "WRITE")
    )
    _check(out, one, {*reading.values(), *writing.values()} - {0})
    readers = [side for side in SIDES if reading[side]]
    writers = [side for side in SIDES if writing[side] and _set(one.nets(WRITES[side], 8))]
    if len(writers) > 1:
        raise one.refuse("writes on both sides")
    if not readers:
        return
    words, generation = _Words.of(one, reading[readers[0]]), one.kind[-1]
    reads = tuple(_read(one, side, words.address(one, side), side in writers) for side in readers)
    read = [_word(one, OUTPUTS[generation], side, words) for side in readers]
    for bit in range(words.data + words.parity):
        write: WritePort | None = None
        written: Bit = "0"
        for side in writers:
            strobe = one.nets(WRITES[side], 8)[words.byte(bit)]
            enable = _both(out, one.pin(ENABLES[side]), strobe)
            write = WritePort(words.address(one, side), enable)
            written = _word(one, INPUTS[generation], side, words)[bit]
        column = Column(words.column(bit), written, tuple(nets[bit] for nets in read))
        yield Ports(words.depth, reads, write), column


def _check(out: Cells, one: Primitive, widths: set[int]) -> None:
    """Refuse what Yosys does not make of our RTL."""
    out.check_clock(one, "CLKARDCLK", "CLKBWRCLK")
    if any(one.number(key) for key in ("DOA_REG", "DOB_REG")):
        raise one.refuse("has an output register")
    for side in SIDES:
        if one.parameters.get(f"RAM_EXTENSION_{side}", "NONE").strip() != "NONE":
            raise one.refuse("is one of a pair")
    if len(widths) > 1:
        raise one.refuse(f"has words of {' and '.join(map(str, sorted(widths)))} bits")


def _read(one: Primitive, side: str, address: tuple[Bit, ...], writes: bool) -> ReadPort:
    """The read port of a side; of one that writes too, as its mode says."""
    if one.pin(RESETS[side]) != "0":
        raise one.refuse("resets the word that is read")
    mode = one.parameters.get(f"WRITE_MODE_{side}", "WRITE_FIRST").strip()
    if writes and mode == "NO_CHANGE":
        raise one.refuse("reads in cycles without a write only")
    return ReadPort(address, one.pin(ENABLES[side]), writes and mode == "WRITE_FIRST")


def _word(one: Primitive, names: dict[str, tuple[str, str]], side: str, words: _Words) -> list[Bit]:
    """The nets of a word, data before parity; one that is wider than a side begins in A."""
    pins, parities = names[side]
    most = 32 if one.kind.startswith("RAMB36") else 16
    if words.data <= most:
        return [*one.nets(pins, words.data), *one.nets(parities, words.parity)]
    halves = (one.nets(names[each][kind], most >> 3 * kind) for kind in (0, 1) for each in SIDES)
    return [bit for half in halves for bit in half]


def _set(bits: Sequence[Bit]) -> bool:
    """Whether any of some bits can be 1."""
    return any(bit not in ("0", "x") for bit in bits)


def _both(out: Cells, one: Bit, other: Bit) -> Bit:
    """A bit that is set if two are."""
    if one == "1" or other in ("0", "x"):
        return other
    if other == "1" or one == "0":
        return one
    known = f"and {one} {other}"
    if known not in out.shared:
        out.shared[known] = out.net()
        out.add("$_AND_", None, A=one, B=other, Y=out.shared[known])
    return out.shared[known]
