# SPDX-License-Identifier: BSD-3-Clause
"""What is in half a block memory (UG473): 18 kbit with two ports.

A block memory of 36 kbit is two halves with the same addresses: the lower half has its even bits,
the upper one its odd bits, and pins of its own for them. So each half is read alone.

Rows of 1 and of 9 bits have an odd one: its lower half is that of the even rows. The lower half's
pin shows the bit of either, as the lowest bit of the address said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bonn_hw.bitstream.readback.features import Enabled
from bonn_hw.bitstream.readback.frames import ReadbackFault
from bonn_hw.bitstream.readback.netlist import PARITY, Memory, Port

ADDRESS_BITS = 14
CONSTANTS = (0, 1)  # nets
SIMPLE = 36  # width of a port that has the data pins of both
# Kinds of pins by port: address, enable, write enables, reset, data and parity in and out.
PINS = {
    "A": ("ADDRARDADDR", "ENARDEN", "WEA", "RSTRAMARSTRAM", "DIADI", "DIPADIP", "DOADO", "DOPADOP"),
    "B": ("ADDRBWRADDR", "ENBWREN", "WEBWE", "RSTRAMB", "DIBDI", "DIPBDIP", "DOBDO", "DOPBDOP"),
}
VALUES = ("ZSRVAL", "ZINIT")  # of an output after a reset, and at the start
CLOCKS = {"A": "CLKARDCLK", "B": "CLKBWRCLK"}
REFUSED = re.compile(r"DO[AB]_REG|FIFO_MODE|EN_ECC_\w+|RAM_EXTENSION_[AB]_LOWER")


@dataclass(frozen=True)
class OddBit:
    """The bit of a row of a whole memory that only one half has.

    Attributes
    ----------
    first : int
        Where such bits begin in a half's contents.
    low : int
        The lowest bit of the half's address that is one of theirs; the one below says which half.
    read, write : int
        Of `PINS`, those whose number 0 it is at.
    """

    first: int
    low: int
    read: int
    write: int


ODD_BITS = {1: OddBit(0, 0, 6, 4), 4: OddBit(PARITY, 3, 7, 5)}  # by the width of a half's port


@dataclass(frozen=True)
class Half:
    """Half a block memory.

    Attributes
    ----------
    source : callable
        Input pin -> net.
    table : callable
        Input nets and contents -> the net of a new table.
    output : callable
        Output pin -> net.
    clocked : callable
        Checks that a pin has the clock.
    joined : callable
        Output pin of the lower half that shows an odd bit, and the nets that say which half's and
        when it is read -> the net of this half's bit.
    """

    name: str
    prefix: str
    enabled: Enabled
    source: Callable[[str], int]
    table: Callable[[tuple[int, ...], int], int]
    output: Callable[[str], int]
    clocked: Callable[[str], None]
    joined: Callable[[str, int, int], int]

    def memory(self) -> Memory:
        """Read it; raises ReadbackFault for what this package does not simulate."""
        for name in sorted(self.enabled.names):
            owner, _, what = name.partition(".")
            if owner in (self.prefix, "RAMB36") and REFUSED.fullmatch(what):
                raise ReadbackFault(f"the block memory {self.name} has {what}")
        reads = [one for port in "AB" for one in self._reads(port)]
        writes = [one for port in "AB" for one in self._writes(port)]
        return Memory(self.name, self._contents(), tuple(reads), tuple(writes))

    def has(self, name: str) -> bool:
        """Whether one of the half's features is enabled."""
        return f"{self.prefix}.{name}" in self.enabled.names

    def _contents(self) -> int:
        whole = 0
        for name, value in self.enabled.vectors.items():
            match = re.fullmatch(rf"{self.prefix}\.INIT(P?)_([0-9A-F]{{2}})", name)
            if match:
                whole |= value << 256 * int(match[2], 16) + (PARITY if match[1] else 0)
        return whole

    def _width(self, kind: str, port: str) -> int:
        """Width of a port with parity bits; 0: it is not used."""
        if self.has(f"SDP_{kind}_WIDTH_36"):
            return SIMPLE if port == {"READ": "A", "WRITE": "B"}[kind] else 0
        widths = [one for one in (1, 2, 4, 9, 18) if self.has(f"{kind}_WIDTH_{port}_{one}")]
        if len(widths) > 1:
            raise ReadbackFault(f"the block memory {self.name} has two widths at port {port}")
        return widths[0] if widths else 0

    def _odd(self, kind: str, port: str, width: int) -> OddBit | None:
        """The odd bit of a port's rows, if the memory is whole and they have one."""
        name = f"BRAM36_{kind}_WIDTH_{port}_1"
        if f"RAMB36.{name}" not in self.enabled.names:
            return None
        if width not in ODD_BITS:
            raise ReadbackFault(f"the block memory {self.name} has {name}, and a width of {width}")
        return ODD_BITS[width]

    def _reads(self, port: str) -> Iterator[Port]:
        width = self._width("READ", port)
        enable = self._control(PINS[port][1]) if width else 0
        if not enable:
            return
        self.clocked(CLOCKS[port])
        odd, reset = self._odd("READ", port, width), self._control(PINS[port][3])
        if odd is None or odd.low:
            data = _pins(width, *((PINS[one][6], PINS[one][7]) for one in self._sides(port, width)))
            yield Port(
                self._address(port, _data_bits(width).bit_length() - 1),
                _data_bits(width),
                enable,
                tuple(map(self.output, data)),
                reset,
                self._value("ZSRVAL", port, width),
                self._value("ZINIT", port, width),
            )
        if odd is not None:
            own = self.joined(f"{PINS[port][odd.read]}0", self._which(port, odd), enable)
            to, start = (self._ones(name, port) >> 16 * bool(odd.low) & 1 for name in VALUES)
            address = self._address(port, odd.low)
            yield Port(address, 1, enable, (own,), reset, to, start, odd.first)

    def _writes(self, port: str) -> Iterator[Port]:
        width = self._width("WRITE", port)
        pins = [f"{PINS[port][2]}{number}" for number in range(8 if width == SIMPLE else 4)]
        strobes = tuple(map(self.source, pins)) if width else ()
        enable = self._control(PINS[port][1]) if width else 0
        if not any(strobes) or not enable:
            return
        if not self.has(f"WRITE_MODE_{port}_READ_FIRST"):
            raise ReadbackFault(f"the block memory {self.name} does not read before it writes")
        self.clocked(CLOCKS[port])
        data = _pins(width, *((PINS[one][4], PINS[one][5]) for one in self._sides(port, width)))
        both, odd = (enable, strobes[0]), self._odd("WRITE", port, width)
        if odd is None or odd.low:
            yield Port(
                self._address(port, _data_bits(width).bit_length() - 1),
                _data_bits(width),
                self.table(both, 0b1000),
                tuple(map(self.source, data)),
                strobes=strobes,
            )
        if odd is not None:
            mine = 1 << (7 if self.prefix.endswith("1") else 3)  # the upper half's, or the lower's
            yield Port(
                self._address(port, odd.low),
                1,
                self.table((*both, self._which(port, odd)), mine),
                (self.source(f"{PINS[port][odd.write]}0"),),
                first=odd.first,
                strobes=strobes,
            )

    def _sides(self, port: str, width: int) -> str:
        return "AB" if width == SIMPLE else port

    def _address(self, port: str, low: int) -> tuple[int, ...]:
        return tuple(self.source(f"{PINS[port][0]}{bit}") for bit in range(low, ADDRESS_BITS))

    def _which(self, port: str, odd: OddBit) -> int:
        """The net of the lowest address bit of a whole memory's rows."""
        # A half alone has no address bit below its own; it holds the pin at 1, hence its name.
        below = f"{PINS[port][0]}{odd.low - 1}" if odd.low else f"ADDR{port}TIEHIGH0"
        return self.source(below)

    def _control(self, pin: str) -> int:
        net = self.source(pin)
        if self.has(f"ZINV_{pin}"):
            return net
        # A port that is not used has an inverted 1, and no clock.
        return 1 - net if net in CONSTANTS else self.table((net,), 0b01)

    def _value(self, name: str, port: str, width: int) -> int:
        """Value of the output after reset or at the start, data bits first, then parity."""
        value, bits = 0, _data_bits(width)
        for place, one in enumerate(self._sides(port, width)):
            ones, here = self._ones(name, one), min(bits, 16)
            value |= (ones & (1 << here) - 1) << place * 16
            value |= (ones >> 16 & (1 << here // 8) - 1) << bits + 2 * place
        return value

    def _ones(self, name: str, port: str) -> int:
        """The same for one port's 16 data and 2 parity pins; bits that are 0 are stored."""
        zeros = self.enabled.vectors.get(f"{self.prefix}.{name}_{port}", 0)
        return ~zeros & (1 << 18) - 1


def _data_bits(width: int) -> int:
    return width // 9 * 8 or width


def _pins(width: int, *sides: Sequence[str]) -> list[str]:
    """Data pins, then parity pins, of one port or of two together."""
    bits = _data_bits(width) // len(sides)
    data = [f"{side[0]}{number}" for side in sides for number in range(bits)]
    return data + [f"{side[1]}{number}" for side in sides for number in range(bits // 8)]
