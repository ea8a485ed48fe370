# SPDX-License-Identifier: BSD-3-Clause
"""What is in half a block memory (UG473): 18 kbit with two ports.

A block memory of 36 kbit is two halves with the same addresses: the lower half has its even bits,
the upper one its odd bits, and pins of its own for them. So each half is read alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
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
CLOCKS = {"A": "CLKARDCLK", "B": "CLKBWRCLK"}
REFUSED = re.compile(r"DO[AB]_REG|FIFO_MODE|EN_ECC_\w+|RAM_EXTENSION_[AB]_LOWER")
# Of a whole memory with a port of width 1 or 9: the bit, or the parity bit, is in one half only.
NARROW = re.compile(r"RAMB36\.BRAM36_\w+_WIDTH_\w+_1")


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
    """

    name: str
    prefix: str
    enabled: Enabled
    source: Callable[[str], int]
    table: Callable[[tuple[int, ...], int], int]
    output: Callable[[str], int]
    clocked: Callable[[str], None]

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
        width = widths[0] if widths else 0
        if width == 1 and any(map(NARROW.fullmatch, self.enabled.names)):
            return 0  # never used by this flow; a pin that needs it has no driver then
        return width

    def _reads(self, port: str) -> list[Port]:
        width = self._width("READ", port)
        enable = self._control(PINS[port][1]) if width else 0
        if not enable:
            return []
        self.clocked(CLOCKS[port])
        data = _pins(width, *((PINS[one][6], PINS[one][7]) for one in self._sides(port, width)))
        return [
            Port(
                self._address(port, width),
                _data_bits(width),
                enable,
                tuple(map(self.output, data)),
                self._control(PINS[port][3]),
                self._value("ZSRVAL", port, width),
                self._value("ZINIT", port, width),
            )
        ]

    def _writes(self, port: str) -> list[Port]:
        width = self._width("WRITE", port)
        pins = [f"{PINS[port][2]}{number}" for number in range(8 if width == SIMPLE else 4)]
        strobes = {self.source(pin) for pin in pins} if width else {0}
        enable = self._control(PINS[port][1]) if width else 0
        if strobes == {0} or not enable:
            return []
        if len(strobes) > 1:
            raise ReadbackFault(f"the block memory {self.name} writes parts of rows")
        if not self.has(f"WRITE_MODE_{port}_READ_FIRST"):
            raise ReadbackFault(f"the block memory {self.name} does not read before it writes")
        self.clocked(CLOCKS[port])
        data = _pins(width, *((PINS[one][4], PINS[one][5]) for one in self._sides(port, width)))
        both = self.table((enable, strobes.pop()), 0b1000)
        return [
            Port(
                self._address(port, width),
                _data_bits(width),
                both,
                tuple(map(self.source, data)),
            )
        ]

    def _sides(self, port: str, width: int) -> str:
        return "AB" if width == SIMPLE else port

    def _address(self, port: str, width: int) -> tuple[int, ...]:
        low = _data_bits(width).bit_length() - 1
        return tuple(self.source(f"{PINS[port][0]}{bit}") for bit in range(low, ADDRESS_BITS))

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
            zeros = self.enabled.vectors.get(f"{self.prefix}.{name}_{one}", 0)
            here = min(bits, 16)
            ones = ~zeros & (1 << 18) - 1
            value |= (ones & (1 << here) - 1) << place * 16
            value |= (ones >> 16 & (1 << here // 8) - 1) << bits + 2 * place
        return value


def _data_bits(width: int) -> int:
    return width // 9 * 8 or width


def _pins(width: int, *sides: Sequence[str]) -> list[str]:
    """Data pins, then parity pins, of one port or of two together."""
    bits = _data_bits(width) // len(sides)
    data = [f"{side[0]}{number}" for side in sides for number in range(bits)]
    return data + [f"{side[1]}{number}" for side in sides for number in range(bits // 8)]
