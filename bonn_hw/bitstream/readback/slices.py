# SPDX-License-Identifier: BSD-3-Clause
"""What is in a slice (UG474, figure 2-3): tables, carry chain, wide multiplexers, flip-flops.

Signals have the names of the slice's pins, and inside: ``A.O6`` and ``A.O5`` are the outputs of
the table A, ``A.CY`` and ``A.XOR`` the carry and sum of its place in the chain, ``A.F7``, ``C.F7``
and ``B.F8`` the wide multiplexers.
"""

from __future__ import annotations

from dataclasses import dataclass

from bonn_hw.bitstream.readback.features import Enabled
from bonn_hw.bitstream.readback.frames import ReadbackFault

PLACES = "ABCD"
XOR2, MUX3, WHOLE = 0b0110, 0b11001010, (1 << 64) - 1
# Inputs 0 and 1 of a wide multiplexer, and what selects.
WIDE = {
    "A.F7": ("B.O6", "A.O6", "AX"),
    "C.F7": ("D.O6", "C.O6", "CX"),
    "B.F8": ("C.F7", "A.F7", "BX"),
}


@dataclass(frozen=True)
class Function:
    """A signal that is a table of others: names of signals of the slice, and contents."""

    inputs: tuple[str, ...]
    contents: int


@dataclass(frozen=True)
class FlipFlop:
    """A signal that is a flip-flop; names of signals, and constants as '0' and '1'."""

    data: str
    enable: str
    reset: str
    reset_value: int
    start: int


def define(signal: str, prefix: str, enabled: Enabled) -> str | Function | FlipFlop:
    """What a signal of a slice is.

    Parameters
    ----------
    signal : str
        An output pin, or a signal inside.
    prefix : str
        Of the slice's features, such as ``SLICEL_X0``.

    Returns
    -------
    str, Function or FlipFlop
        The name of another signal of the slice, a table or a flip-flop.

    Raises
    ------
    ReadbackFault
        If the slice has a LUT memory, a latch or an asynchronous reset, or if a multiplexer selects
        nothing.
    """
    slice_ = _Slice(prefix, enabled)
    place = signal[0]
    if signal == "COUT":
        return "D.CY"
    if signal == place:
        return f"{place}.O6"
    if signal == f"{place}MUX":
        return slice_.selected(place, "OUTMUX")
    if signal in (f"{place}Q", f"{place}5Q"):
        return slice_.flip_flop(place, signal[1:-1])
    return slice_.inside(place, signal)


@dataclass(frozen=True)
class _Slice:
    prefix: str
    enabled: Enabled

    def has(self, name: str) -> bool:
        return f"{self.prefix}.{name}" in self.enabled.names

    def fault(self, text: str) -> ReadbackFault:
        return ReadbackFault(f"a {self.prefix.partition('_')[0]} {text}")

    def inside(self, place: str, signal: str) -> str | Function:
        kind = signal[2:]
        if signal in WIDE:
            return Function(WIDE[signal], MUX3)
        if kind in ("O5", "O6"):
            for mode in ("RAM", "SRL"):
                if self.has(f"{place}LUT.{mode}"):
                    raise self.fault(f"has its table {place} as {mode}")
            contents = self.enabled.vectors.get(f"{self.prefix}.{place}LUT.INIT", 0)
            inputs = tuple(f"{place}{number}" for number in range(1, 7))
            if kind == "O6":
                return Function(inputs, contents)
            return Function(inputs[:5], contents & WHOLE >> 32)
        below = PLACES[PLACES.index(place) - 1]
        carry = self.carry_in() if place == "A" else f"{below}.CY"
        if kind == "XOR":
            return Function((f"{place}.O6", carry), XOR2)
        if kind == "CY":
            data = f"{place}.O5" if self.has(f"CARRY4.{place}CY0") else f"{place}X"
            return Function((data, carry, f"{place}.O6"), MUX3)
        raise self.fault(f"has no signal {signal}")

    def carry_in(self) -> str:
        options = {"AX": "AX", "CIN": "CIN", "C0": "0", "C1": "1"}
        chosen = [one for name, one in options.items() if self.has(f"PRECYINIT.{name}")]
        if len(chosen) > 1:
            raise self.fault("selects two inputs of its carry chain")
        return chosen[0] if chosen else "0"

    def selected(self, place: str, multiplexer: str) -> str:
        """The signal that a multiplexer of an output or of a flip-flop selects."""
        options = {name: f"{place}.{name}" for name in ("O5", "O6", "XOR", "CY", "F7", "F8")}
        options |= {f"{place}X": f"{place}X", f"{place}5Q": f"{place}5Q"}
        start = f"{self.prefix}.{place}{multiplexer}."
        names = [name.removeprefix(start) for name in self.enabled.names if name.startswith(start)]
        if len(names) != 1 or names[0] not in options:
            told = " and ".join(sorted(names)) or "nothing"
            raise self.fault(f"selects {told} with {place}{multiplexer}")
        return options[names[0]]

    def flip_flop(self, place: str, which: str) -> FlipFlop:
        name = f"{place}{which}FF"
        if self.has("LATCH"):
            raise self.fault("has latches")
        if self.has("CLKINV"):
            raise self.fault("has an inverted clock")
        reset = "SR" if self.has("SRUSEDMUX") else "0"
        if reset != "0" and not self.has("FFSYNC"):
            raise self.fault("has an asynchronous reset")
        if which:
            data = {(True, False): f"{place}.O5", (False, True): f"{place}X"}.get(
                (self.has(f"{place}5FFMUX.IN_A"), self.has(f"{place}5FFMUX.IN_B"))
            )
            if data is None:
                raise self.fault(f"selects no input for {name}")
        else:
            data = self.selected(place, "FFMUX")
        return FlipFlop(
            data,
            "CE" if self.has("CEUSEDMUX") else "1",
            reset,
            int(not self.has(f"{name}.ZRST")),
            int(not self.has(f"{name}.ZINI")),
        )
