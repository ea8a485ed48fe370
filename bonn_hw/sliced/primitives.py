# SPDX-License-Identifier: BSD-3-Clause
"""Primitives of Xilinx devices -> Yosys' own cells, for a netlist in its JSON form.

LUTs, carry chains, flip-flops and shift registers are here, memories in `block_memories`. DSP
slices stay as they are: Yosys has a model of them. The functions are those of UG953.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bonn_hw.errors import UserError
from bonn_hw.synth import cells

Bit = int | str  # a net, or a constant: "0", "1", "x"
MODELLED = cells.DSPS - {"DSP48E2"}  # with a model of Yosys' own


@dataclass(frozen=True)
class Primitive:
    """A cell of a device."""

    name: str
    kind: str
    parameters: Mapping[str, str]
    pins: Mapping[str, Sequence[Bit]]

    def bits(self, name: str, count: int) -> str:
        """A parameter, its lowest bit first; what is unknown is 0."""
        text = self.parameters.get(name, "").replace("x", "0").replace("z", "0")
        return text[::-1].ljust(count, "0")[:count]

    def number(self, name: str) -> int:
        """A parameter as a number."""
        return int(self.bits(name, 32)[::-1], 2)

    def nets(self, name: str, count: int) -> tuple[Bit, ...]:
        """The nets of a pin; "0" where nothing is connected."""
        return (*self.pins.get(name, ()), *["0"] * count)[:count]

    def pin(self, name: str) -> Bit:
        """The net of a pin of one bit."""
        return self.nets(name, 1)[0]

    def numbered(self, name: str, count: int) -> tuple[Bit, ...]:
        """The nets of the pins NAME0, NAME1, ..., or of the pin NAME."""
        if name in self.pins:
            return self.nets(name, count)
        return tuple(self.pin(f"{name}{place}") for place in range(count))

    def refuse(self, what: str) -> UserError:
        """The error for a form that is not simulated."""
        return UserError(
            f"simulate: the {self.kind} {self.name} {what}, which --netlist does not simulate: "
            "simulate the RTL, without --netlist"
        )


@dataclass
class Cells:
    """The cells that take the place of primitives.

    Attributes
    ----------
    clock : net
        The clock of the design.
    fresh : net
        From here on, nets are new.
    starts : dict
        What registers hold at the start, by their output.
    shared : dict
        Nets of functions that are needed more than once.
    """

    clock: Bit
    fresh: int
    made: dict[str, dict[str, Any]] = field(default_factory=dict)
    starts: dict[int, str] = field(default_factory=dict)
    shared: dict[str, int] = field(default_factory=dict)

    def net(self) -> int:
        """A new net."""
        self.fresh += 1
        return self.fresh - 1

    def add(
        self, kind: str, parameters: Mapping[str, int | str] | None = None, /, **pins: Any
    ) -> None:
        """A cell; a pin is a bit, or some."""
        connections = {
            pin: [*bits] if isinstance(bits, (tuple, list)) else [bits]
            for pin, bits in pins.items()
        }
        directions = {pin: "output" if pin in ("Y", "Q", "RD_DATA") else "input" for pin in pins}
        self.made[f"cell{len(self.made)}"] = {
            "type": kind,
            "parameters": dict(parameters or {}),
            "attributes": {},
            "port_directions": directions,
            "connections": connections,
        }

    def register(
        self, data: Bit, output: Bit, enable: Bit, start: str, reset: tuple[Bit, int] | None = None
    ) -> None:
        """A flip-flop; ``reset`` is stronger than the enable, and gives a value."""
        pins = {"C": self.clock, "D": data, "E": enable, "Q": output}
        if reset is None:
            self.add("$_DFFE_PP_", None, **pins)
        else:
            self.add(f"$_SDFFE_PP{reset[1]}P_", None, R=reset[0], **pins)
        if isinstance(output, int):
            self.starts[output] = start

    def check_clock(self, one: Primitive, *pins: str) -> None:
        """Refuse other clocks than that of the design."""
        for pin in pins:
            if one.pin(pin) not in (self.clock, "0"):
                raise one.refuse("has another clock")


def lut(out: Cells, one: Primitive) -> None:
    """A function of up to six inputs: bit i of INIT where they read i."""
    inputs = [one.pin(f"I{place}") for place in range(int(one.kind[3:]))]
    table = one.bits("INIT", 1 << len(inputs))[::-1]
    out.add("$lut", {"LUT": table, "WIDTH": len(inputs)}, A=inputs, Y=one.pin("O"))


def inverter(out: Cells, one: Primitive) -> None:
    """An inverter."""
    out.add("$_NOT_", None, A=one.pin("I"), Y=one.pin("O"))


def selector(out: Cells, one: Primitive) -> None:
    """A multiplexer of two LUTs, or of two such multiplexers."""
    out.add("$_MUX_", None, A=one.pin("I0"), B=one.pin("I1"), S=one.pin("S"), Y=one.pin("O"))


def carry(out: Cells, one: Primitive) -> None:
    """A carry chain: S passes the carry on, and DI takes its place otherwise."""
    length = int(one.kind[-1])
    select, instead = one.nets("S", length), one.nets("DI", length)
    now = one.pin("CI")
    if one.kind == "CARRY4":
        now = out.net()
        out.add("$_OR_", None, A=one.pin("CI"), B=one.pin("CYINIT"), Y=now)
    elif one.parameters.get("CARRY_TYPE", "SINGLE_CY8").strip() != "SINGLE_CY8":
        raise one.refuse("is two chains")
    carries, sums = one.pins.get("CO", ()), one.pins.get("O", ())
    for place, (s, di) in enumerate(zip(select, instead, strict=True)):
        if place < len(sums):
            out.add("$_XOR_", None, A=s, B=now, Y=sums[place])
        after = carries[place] if place < len(carries) else out.net()
        out.add("$_MUX_", None, A=di, B=now, S=s, Y=after)
        now = after


def flip_flop(out: Cells, one: Primitive) -> None:
    """A flip-flop with an enable and a synchronous reset; without one, if it has CLR or PRE."""
    out.check_clock(one, "C")
    start = one.bits("INIT", 1)
    enable = one.pin("CE") if "CE" in one.pins else "1"
    if one.kind in ("FDCE", "FDPE"):
        if one.pin("CLR" if one.kind == "FDCE" else "PRE") != "0":
            raise one.refuse("has an asynchronous reset")
        reset = None
    else:
        reset = (one.pin("S"), 1) if one.kind == "FDSE" else (one.pin("R"), 0)
    out.register(one.pin("D"), one.pin("Q"), enable, start, reset)


def shift_register(out: Cells, one: Primitive) -> None:
    """A shift register whose place A is read at once, and whose last place is Q15 or Q31."""
    out.check_clock(one, "CLK")
    length = 32 if one.kind == "SRLC32E" else 16
    last = one.pin("Q31" if length == 32 else "Q15")
    start = one.bits("INIT", length)
    places: list[Bit] = []
    for place in range(length):
        output = last if place == length - 1 and isinstance(last, int) else out.net()
        data = places[-1] if places else one.pin("D")
        out.register(data, output, one.pin("CE") if "CE" in one.pins else "1", start[place])
        places.append(output)
    address = one.numbered("A", length.bit_length() - 1)
    parameters = {"WIDTH": 1, "S_WIDTH": len(address)}
    out.add("$bmux", parameters, A=places, S=address, Y=one.pin("Q"))


Maker = Callable[[Cells, Primitive], None]
MAKERS: dict[str, Maker] = {
    **{f"LUT{inputs}": lut for inputs in range(1, 7)},
    "INV": inverter,
    **dict.fromkeys(cells.SELECTORS, selector),
    **dict.fromkeys(cells.CARRIES, carry),
    **dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE"), flip_flop),
    **dict.fromkeys(cells.SHIFT_REGISTERS, shift_register),
}


def primitives(module: Mapping[str, Any]) -> Iterator[Primitive]:
    """The cells of a module; refuses inverted pins, which Yosys does not make of our RTL."""
    for name, cell in module["cells"].items():
        if cell["type"] in cells.IGNORED:
            continue
        one = Primitive(name, cell["type"], cell["parameters"], cell["connections"])
        for key in one.parameters:
            if key.startswith("IS_") and one.kind not in MODELLED and one.number(key):
                raise one.refuse(f"inverts a pin ({key})")
        yield one
