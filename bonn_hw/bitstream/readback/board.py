# SPDX-License-Identifier: BSD-3-Clause
"""A netlist as 256 simulated boards at once; lanes.cpp says how."""

from __future__ import annotations

import ctypes
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonn_hw.bitstream.readback.frames import ReadbackFault
from bonn_hw.bitstream.readback.netlist import Memory, Netlist, Port, Table
from bonn_hw.timing import native

SOURCE = Path(__file__).with_name("lanes.cpp")
STORE = 18432  # bits of a memory
# The structures of lanes.cpp.
TABLE = np.dtype([("output", "i4"), ("count", "i4"), ("inputs", "i4", 6), ("contents", "u8")])
REGISTER = np.dtype([(name, "i4") for name in ("output", "data", "enable", "reset", "to", "start")])
PORT = np.dtype(  # aligned as in C++: it has an odd number of 32-bit members before its 64-bit ones
    [(name, "i4") for name in ("memory", "writes", "first", "width", "rows", "enable", "reset")]
    + [("address", "i4", 14), ("data", "i4", 36), ("reset_value", "u8"), ("start", "u8")],
    align=True,
)
# Pins that the boards do not look at, and that need not be 0.
IGNORED = ("SAXIHP0ARCACHE", "SAXIHP0AWCACHE", "SAXIHP0ARPROT", "SAXIHP0AWPROT")
# Pins of the processing system that the boards look at: name -> width.
WATCHED = {
    **{f"MAXIGP0{name}": 1 for name in ("AWREADY", "WREADY", "BVALID", "ARREADY", "RVALID")},
    **{"MAXIGP0RLAST": 1, "MAXIGP0BRESP": 2, "MAXIGP0RRESP": 2, "MAXIGP0BID": 12},
    **{"MAXIGP0RID": 12, "MAXIGP0RDATA": 32, "SAXIHP0WDATA": 64, "SAXIHP0WSTRB": 8},
    **{
        f"SAXIHP0{way}{name}": bits
        for way in ("AR", "AW")
        for name, bits in {"ADDR": 32, "LEN": 4, "SIZE": 2, "BURST": 2, "VALID": 1}.items()
    },
    **{f"SAXIHP0{name}": 1 for name in ("RREADY", "WLAST", "WVALID", "BREADY")},
    "IRQF2P": 1,
}


class Boards:
    """Boards with the netlist in their programmable logic; a context manager.

    `store` and `load` are for one board. All the others act on all boards. No cycles pass between
    calls. With the names of `bonn_hw.board_sim.SimulatedBoard`, so that its machine and the driver
    work with board 0.

    Parameters
    ----------
    memory : int
        Bytes of memory of each board.

    Raises
    ------
    ReadbackFault
        If the netlist does not drive a pin that it must; by any call, if boards differ in what they
        do, or break a rule of AXI.
    """

    def __init__(self, netlist: Netlist, memory: int) -> None:
        self._library = _library()
        self.bytes = memory
        tables = np.array([_table(one) for one in netlist.tables], TABLE)
        registers = np.array(
            [
                (r.output, r.data, r.enable, r.reset, r.reset_value, r.start)
                for r in netlist.registers
            ],
            REGISTER,
        )
        ports = np.array(
            [row for index, one in enumerate(netlist.memories) for row in _ports(index, one)], PORT
        )
        contents = np.concatenate(
            [_contents(one) for one in netlist.memories] or [np.zeros(0, np.uint64)]
        )
        self._boards = self._library.lanes_new(
            netlist.nets,
            _pointer(tables),
            len(tables),
            _pointer(registers),
            len(registers),
            _pointer(ports),
            len(ports),
            _pointer(contents),
            len(netlist.memories),
            memory,
        )
        for name, nets in _groups(netlist):
            self._library.lanes_pins(self._boards, name.encode(), _pointer(nets), len(nets))
        self._check(self._library.lanes_reset(self._boards))

    def __enter__(self) -> Boards:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the simulation."""
        if self._boards:
            self._library.lanes_free(self._boards)
        self._boards = None

    @property
    def count(self) -> int:
        """Number of boards."""
        return int(self._library.lanes_count())

    def read(self, offset: int) -> int:
        """Read a register, which must be the same on all boards."""
        value = ctypes.c_uint64()
        self._check(self._library.lanes_read(self._boards, offset, ctypes.byref(value)))
        return value.value

    def write(self, offset: int, value: int) -> None:
        """Write a register."""
        self._check(self._library.lanes_write(self._boards, offset, value))

    def advance(self, cycles: int) -> int:
        """Simulate up to ``cycles`` cycles, until an interrupt; returns the simulated cycles."""
        passed = ctypes.c_uint64()
        self._check(self._library.lanes_advance(self._boards, cycles, ctypes.byref(passed)))
        return passed.value

    def store(self, address: int, data: bytes, board: int = 0) -> None:
        """Write a board's memory, as the processor does."""
        ctypes.memmove(self._place(address, len(data), board), data, len(data))

    def load(self, address: int, count: int, board: int = 0) -> bytes:
        """Read ``count`` bytes of a board's memory, as the processor does."""
        return ctypes.string_at(self._place(address, count, board), count)

    def _place(self, address: int, count: int, board: int) -> int:
        if address < 0 or address + count > self.bytes:
            raise ValueError(f"{count} bytes at {address:#x} are not in memory")
        return int(self._library.lanes_memory(self._boards, board)) + address

    def _check(self, code: int) -> None:
        if code:
            raise ReadbackFault(self._library.lanes_fault(self._boards).decode())


def _table(one: Table) -> tuple[Any, ...]:
    inputs = (*one.inputs, *(0,) * (6 - len(one.inputs)))
    return one.output, len(one.inputs), inputs, one.contents


def _ports(index: int, memory: Memory) -> Iterator[tuple[Any, ...]]:
    for writes, sides in enumerate((memory.reads, memory.writes)):
        for one in sides:
            yield _port(index, writes, one)


def _port(index: int, writes: int, one: Port) -> tuple[Any, ...]:
    address = (*one.address, *(0,) * (14 - len(one.address)))
    data = (*one.data, *(0,) * (36 - len(one.data)))
    head = (index, writes, one.first, one.width, len(one.address), one.enable, one.reset)
    return (*head, address, data, one.reset_value, one.start)


def _contents(memory: Memory) -> NDArray[np.uint64]:
    return np.frombuffer(memory.contents.to_bytes(STORE // 8, "little"), "<u8")


def _groups(netlist: Netlist) -> Iterator[tuple[str, NDArray[np.int32]]]:
    """The pins by their names without number; raises ReadbackFault for a pin that is not driven."""
    groups: dict[str, dict[int, int]] = defaultdict(dict)
    low = dict(netlist.outputs)
    for name, width in WATCHED.items():
        for bit in range(width):
            pin = f"{name}{bit}" if f"{name}{bit}" in low or width > 1 else name
            if pin not in low:
                raise ReadbackFault(f"nothing drives the pin {pin} of the processing system")
            groups[name][bit] = low.pop(pin)
    for pin, net in low.items():
        if net and not pin.startswith(IGNORED):
            raise ReadbackFault(f"the pin {pin} of the processing system must be 0")
    for pin, net in netlist.inputs.items():
        name, bit = _split(pin)
        groups[name][bit] = net
    for name, nets in groups.items():
        row = np.zeros(max(nets) + 1, np.int32)
        row[list(nets)] = list(nets.values())
        yield name, row


def _split(pin: str) -> tuple[str, int]:
    """Name and number of a pin: MAXIGP0WDATA12 -> MAXIGP0WDATA, 12."""
    name = pin.rstrip("0123456789")
    return name, int(pin[len(name) :] or 0)


def _pointer(array: NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


@cache
def _library() -> ctypes.CDLL:
    library = native.library(SOURCE, machine="native")
    void, u64, byte = ctypes.c_void_p, ctypes.c_uint64, ctypes.c_char_p
    whole = ctypes.c_int
    library.lanes_new.argtypes = [whole, void, whole, void, whole, void, whole, void, whole, u64]
    library.lanes_new.restype = library.lanes_memory.restype = void
    library.lanes_fault.restype = byte
    library.lanes_free.argtypes = library.lanes_fault.argtypes = library.lanes_reset.argtypes = [
        void
    ]
    library.lanes_pins.argtypes = [void, byte, void, whole]
    library.lanes_memory.argtypes = [void, whole]
    library.lanes_write.argtypes = [void, u64, u64]
    library.lanes_read.argtypes = library.lanes_advance.argtypes = [void, u64, void]
    return library
