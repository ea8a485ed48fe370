# SPDX-License-Identifier: BSD-3-Clause
"""Enabled features -> netlist: from the ends of the circuit backwards.

What does not reach the processing system or a pad has no effect and is not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bonn_hw.bitstream.readback import slices
from bonn_hw.bitstream.readback.boundary import PROCESSING_SYSTEM, Boundary
from bonn_hw.bitstream.readback.features import Enabled
from bonn_hw.bitstream.readback.frames import ReadbackFault
from bonn_hw.bitstream.readback.memories import Half
from bonn_hw.bitstream.readback.netlist import Memory, Netlist, Register, Table
from bonn_hw.bitstream.readback.order import ordered
from bonn_hw.bitstream.readback.routing import Fabric, Pin
from bonn_hw.bitstream.readback.wiring import Wiring

BUFFER = 0b10
HALVES = ("FIFO18E1", "RAMB18E1")  # of a block memory: the lower and the upper one


def read(
    enabled: Mapping[str, Enabled], wiring: Wiring, boundary: Boundary = PROCESSING_SYSTEM
) -> Netlist:
    """Read the circuit inside a boundary.

    Raises
    ------
    ReadbackFault
        If it is not a synchronous circuit of one clock, or has parts that are not simulated.
    """
    return _Reader(Fabric(wiring, enabled), boundary).netlist()


class _Reader:
    """Numbers nets as they are asked for; `netlist` works off the list of those."""

    def __init__(self, fabric: Fabric, boundary: Boundary) -> None:
        self._fabric = fabric
        self._boundary = boundary
        self._nets: dict[Pin, int] = {}
        self._left: list[Pin] = []
        self._count = 2  # after the constants
        self._tables: list[Table] = []
        self._registers: list[Register] = []
        self._memories: dict[tuple[str, int], Memory] = {}
        self._odd: set[int] = set()  # nets of pins that show a bit of either half of a memory
        self._inputs: dict[str, int] = {}
        self._clocked: set[Pin] = set()

    def netlist(self) -> Netlist:
        """Follow everything back from the ends of the circuit."""
        for pin in self._boundary.clocked(self._fabric):
            self._clock(pin)
        ends = self._boundary.outputs(self._fabric)
        outputs = {name: self._source(pin) for name, pin in ends.items()}
        while self._left:
            self._define(self._left.pop())
        tables, outputs_, registers, memories = ordered(
            self._tables, outputs, self._registers, self._memories.values()
        )
        return Netlist(self._count, tables, registers, memories, self._inputs, outputs_)

    def _define(self, signal: Pin) -> None:
        """Add what drives a signal."""
        site, net = self._fabric.site(signal), self._nets[signal]
        name = self._boundary.input(self._fabric, signal)
        passed = self._boundary.through(self._fabric, signal)
        if name is not None:
            self._inputs[name] = net
        elif passed is not None:
            self._tables.append(Table(net, (self._source(passed),), BUFFER))
        elif site.kind.startswith("SLICE"):
            self._slice(signal, net, f"{site.kind}_X{site.column % 2}")
        elif site.kind in HALVES:
            key = (signal.tile, signal.site)
            if key not in self._memories:
                self._memories[key] = self._half(signal, f"RAMB18_Y{site.row % 2}")
            shown = net in self._odd or any(net in one.data for one in self._memories[key].reads)
            if not shown:
                raise ReadbackFault(f"{signal} has no bit of the memory's contents")
        else:
            raise ReadbackFault(f"{signal} is a {site.kind}, which is not simulated")

    def _slice(self, signal: Pin, net: int, prefix: str) -> None:
        def local(name: str) -> int:
            return int(name) if name in "01" else self._signal(self._beside(signal, name))

        enabled = self._fabric.enabled(signal.tile)
        try:
            found = slices.define(signal.name, prefix, enabled)
        except ReadbackFault as fault:
            raise ReadbackFault(f"{signal.tile}: {fault}") from None
        if isinstance(found, str):
            self._tables.append(Table(net, (local(found),), BUFFER))
        elif isinstance(found, slices.Function):
            self._tables.append(Table(net, tuple(map(local, found.inputs)), found.contents))
        else:
            self._clock(self._beside(signal, "CLK"))
            data, enable, reset = map(local, (found.data, found.enable, found.reset))
            self._registers.append(
                Register(net, data, enable, reset, found.reset_value, found.start)
            )

    def _half(self, signal: Pin, prefix: str) -> Memory:
        return Half(
            f"{signal.tile}.{prefix}",
            prefix,
            self._fabric.enabled(signal.tile),
            lambda name: self._source(self._beside(signal, name)),
            self._table,
            lambda name: self._signal(self._beside(signal, name)),
            lambda name: self._clock(self._beside(signal, name)),
            lambda name, which, enable: self._joined(self._beside(signal, name), which, enable),
        ).memory()

    def _joined(self, pin: Pin, which: int, enable: int) -> int:
        """The net of a half's own bit; the lower half's pin ``pin`` shows this one or the other."""
        sites = self._fabric.type(pin.tile).sites
        halves = {one.row % 2: place for place, one in enumerate(sites) if one.kind in HALVES}
        own = [self._net(Pin(pin.tile, halves[row], f"{pin.name}.OWN")) for row in range(2)]
        row = self._fabric.site(pin).row % 2
        if not row:
            shown, chosen = self._net(pin), self._new()
            self._registers.append(Register(chosen, which, enable, 0, 0, 0))
            self._tables.append(Table(shown, (*own, chosen), slices.MUX3))
            self._odd.add(shown)
        return own[row]

    def _table(self, inputs: Iterable[int], contents: int) -> int:
        net = self._new()
        self._tables.append(Table(net, tuple(inputs), contents))
        return net

    def _beside(self, signal: Pin, name: str) -> Pin:
        return Pin(signal.tile, signal.site, name)

    def _signal(self, signal: Pin) -> int:
        """The net of an input pin, of an output pin or of a signal inside a site."""
        kind, site = self._fabric.type(signal.tile), self._fabric.site(signal)
        wire = site.wires.get(signal.name)
        if wire is not None and wire not in kind.outputs:
            return self._source(signal)
        return self._net(signal)

    def _source(self, pin: Pin) -> int:
        """The net at an input pin. Raises ReadbackFault if nothing drives it."""
        source = self._fabric.source(pin)
        if source is None:
            raise ReadbackFault(f"nothing drives {pin}")
        return source if isinstance(source, int) else self._net(source)

    def _net(self, signal: Pin) -> int:
        if signal not in self._nets:
            self._nets[signal] = self._new()
            self._left.append(signal)
        return self._nets[signal]

    def _new(self) -> int:
        self._count += 1
        return self._count - 1

    def _clock(self, pin: Pin) -> None:
        """Check that a pin has the clock; raises ReadbackFault."""
        start, source = pin, self._fabric.source(pin)
        while isinstance(source, Pin) and source not in self._clocked:
            site = self._fabric.site(source)
            if self._boundary.is_clock(self._fabric, source):
                break
            passed = self._boundary.through(self._fabric, source)
            if passed is not None:
                source = self._fabric.source(passed)
                continue
            if site.kind == "BUFHCE":
                pin = self._beside(source, "I")
            elif site.kind == "BUFGCTRL":
                pin = self._beside(source, "I0")
            else:
                source = None
                break
            if not any(
                name.endswith(f"{site.kind}_X{site.column}Y{site.row}.IN_USE")
                for name in self._fabric.enabled(source.tile).names
            ):
                raise ReadbackFault(f"the clock buffer {source} is not in use")
            source = self._fabric.source(pin)
        if not isinstance(source, Pin):
            raise ReadbackFault(f"{start} does not have the clock {self._boundary.clock}")
        self._clocked.add(source)
