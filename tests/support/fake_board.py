# SPDX-License-Identifier: BSD-3-Clause
"""A board in Python alone: docs/shell.md with the integer graph for an accelerator, and a `pynq`.

`FakeBoard` has the methods of `SimulatedBoard` that a driver needs, and faults that RTL without
bugs never shows. `fake_pynq` puts either of them under the API of pynq 3.
"""

from __future__ import annotations

from types import ModuleType, SimpleNamespace

import numpy as np

from bonn_hw.emit.system import Slots, digest
from bonn_hw.emit.top import emit
from bonn_hw.ir.design import FoldedDesign
from bonn_hw.ir.stream import pack, unpack

NONE = 0xFFFFFFFF
PAGE = 4096
BASE = 0x40000000  # of the registers
HP0 = 0xF8008000  # settings of a memory port, of a Zynq-7000
RUN_CYCLES = 1000


class FakeBoard:
    """Registers and memory; a run ends after `RUN_CYCLES`, unless `fault` says otherwise.

    ``fault`` is of the next run alone: "read", "write" (the bus answers with an error), "silent"
    (no end, no word of it), "stalled N" (the watchdog, data wait in stream N; -1: in none).
    """

    def __init__(self, design: FoldedDesign, memory: int = 1 << 22) -> None:
        self.design, self.project = design, emit(design, watched=True)
        self.memory = np.zeros(memory, np.uint8)
        self.fault, self.left, self.resets = "", 0, 0
        hashed = digest(self.project)[:32]
        words = {0x008 + 4 * i: int(hashed[8 * i : 8 * i + 8], 16) for i in range(4)}
        self.registers = {0x000: 0x424F4E4E, 0x004: 1, **words, 0x030: len(design.streams)}

    def read(self, offset: int) -> int:
        """Read a register."""
        return self.registers.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Write a register."""
        if offset == 0x040 and value & 2:
            self.resets += 1
            self.left = self.registers[0x044] = 0
        elif offset == 0x040 and value & 1:
            self._start()
        elif offset == 0x04C:
            self.registers[offset] = self.read(offset) & ~value
        else:
            self.registers[offset] = value

    def store(self, address: int, data: bytes) -> None:
        """Write memory."""
        self.memory[address : address + len(data)] = np.frombuffer(data, np.uint8)

    def load(self, address: int, count: int) -> bytes:
        """Read memory."""
        return self.memory[address : address + count].tobytes()

    def advance(self, cycles: int) -> int:
        """Let time pass."""
        if self.busy and self.fault != "silent":
            self.left -= cycles
            if self.left <= 0:
                self._end()
        return cycles

    @property
    def busy(self) -> bool:
        """Whether a run is under way."""
        return bool(self.read(0x044) & 1)

    def _start(self) -> None:
        if self.busy or not self.read(0x060):
            self.registers[0x04C] = self.read(0x04C) | 8
            self.registers[0x044] = self.read(0x044) | 4
            return
        self.left, self.registers[0x044] = RUN_CYCLES, 1
        self.registers |= {0x068: 0, 0x06C: 0, 0x080: NONE, 0x070: RUN_CYCLES, 0x074: 3}

    def _end(self) -> None:
        frames, fault, self.fault = self.read(0x060), self.fault, ""
        if fault:
            kind, _, place = fault.partition(" ")
            self.registers[0x04C] = {"read": 1, "write": 2, "stalled": 4}[kind]
            self.registers |= {0x044: 4, 0x080: int(place or -1) & NONE}
            return
        self._answer(frames)
        interval = RUN_CYCLES // frames
        last = 100 + (frames - 1) * interval
        self.registers |= {0x044: 2, 0x068: frames, 0x06C: frames, 0x078: 100, 0x07C: last}

    def _answer(self, frames: int) -> None:
        """By `ir.stream`, which the driver does not have: its own packing is checked by it."""
        source, sink = self.project.source, self.project.sink
        taken, given = Slots.of(source), Slots.of(sink)
        octets = self.load(self.read(0x050), frames * 8 * taken.words)
        slots = np.frombuffer(octets, np.uint8).reshape(frames, -1)[:, : source.beats * taken.slot]
        beats = _widened(slots.reshape(-1, taken.slot))
        inputs = unpack(beats, source.lanes, source.element).reshape(frames, -1)
        outputs = self.design.graph.run(inputs.astype(np.int32)).reshape(frames, -1)
        words = pack(outputs, sink.lanes, sink.element)
        beats = words.view(np.uint8).reshape(frames * sink.beats, -1)
        whole = np.zeros((frames, 8 * given.words), np.uint8)
        padded = np.zeros((len(beats), given.slot), np.uint8)
        width = min(given.slot, beats.shape[1])
        padded[:, :width] = beats[:, :width]
        whole[:, : sink.beats * given.slot] = padded.reshape(frames, -1)
        self.store(self.read(0x058), whole.tobytes())


def _widened(octets: np.ndarray) -> np.ndarray:
    """Bytes of beats as words of 32 bits."""
    words = np.zeros((len(octets), -(-octets.shape[1] // 4) * 4), np.uint8)
    words[:, : octets.shape[1]] = octets
    return words.view("<u4")


class Buffer(np.ndarray):
    """As `pynq.buffer.PynqBuffer`: an array; the board sees what was flushed."""

    def flush(self) -> None:
        self.board.store(self.physical_address, self.tobytes())

    def invalidate(self) -> None:
        self[:] = np.frombuffer(self.board.load(self.physical_address, self.nbytes), np.uint8)

    def freebuffer(self) -> None:
        assert not self.freed, "freed twice"
        assert not getattr(self.board, "busy", False), "freed while the accelerator uses it"
        self.freed = True


def fake_pynq(board, blocks=("accelerator",), divided=1500.0) -> ModuleType:
    """A module to stand for `pynq`.

    Parameters
    ----------
    board : FakeBoard or SimulatedBoard
    blocks : sequence of str
        What the .hwh names.
    divided : float
        Megahertz of which the clock is a whole part.

    Like the real one, it takes plain ``int`` and ``str`` only, and a closed device stays closed.
    """
    pynq = ModuleType("pynq")
    pynq.__version__ = "3.0.1"
    pynq.loaded, pynq.buffers, closed = [], [], []

    class Overlay:
        def __init__(self, name: str) -> None:
            assert type(name) is str
            assert not closed, "the device was closed"
            pynq.loaded.append(name)
            self.ip_dict = {block: {"phys_addr": BASE, "addr_range": 0x10000} for block in blocks}

        def free(self) -> None:
            closed.append(True)

    class Bitstream:
        def __init__(self, name: str) -> None:
            assert type(name) is str
            self.name = name

        def download(self) -> None:
            pynq.loaded.append(self.name)

    class MMIO:
        def __init__(self, address: int, length: int) -> None:
            assert address in (BASE, HP0)
            self.address, self.length = address, length

        def read(self, offset: int) -> int:
            assert 0 <= offset < self.length
            assert offset % 4 == 0
            if self.address == HP0:
                return pynq.port[offset]
            board.advance(500)  # time passes
            return board.read(offset)

        def write(self, offset: int, value: int) -> None:
            assert type(value) is int
            assert 0 <= value < 1 << 32
            assert 0 <= offset < self.length
            assert offset % 4 == 0
            if self.address == HP0:
                pynq.port[offset] = value
            else:
                board.write(offset, value)

    class Clocks:
        """Whole dividers: it takes the nearest, which may be faster."""

        made = 0.0

        @property
        def fclk0_mhz(self) -> float:
            return self.made

        @fclk0_mhz.setter
        def fclk0_mhz(self, wanted: float) -> None:
            self.made = min((divided / n for n in range(1, 64)), key=lambda f: abs(f - wanted))

    def allocate(shape, dtype, cacheable):
        assert not closed, "the device was closed"
        (count,) = shape
        buffer = np.zeros(count, dtype).view(Buffer)
        used = sum(-(-one.nbytes // PAGE) * PAGE for one in pynq.buffers)
        buffer.board, buffer.physical_address, buffer.freed = board, PAGE + used, False
        pynq.buffers.append(buffer)
        return buffer

    pynq.Bitstream, pynq.port = Bitstream, {0x00: 0x3, 0x14: 0xF01}
    pynq.Overlay, pynq.MMIO, pynq.Clocks, pynq.allocate = Overlay, MMIO, Clocks(), allocate
    pynq.Device = SimpleNamespace(active_device=SimpleNamespace(name="edge"))
    return pynq
