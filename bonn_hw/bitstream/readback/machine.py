# SPDX-License-Identifier: BSD-3-Clause
"""The boards of `Boards` for the driver: it runs a batch, and each board takes a share of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bonn_hw.bitstream.readback.board import Boards
from bonn_hw.driver import registers

POLL_CYCLES = 1_000  # simulated while the driver waits
PAGE = 4096


class SharedBuffer:
    """A batch of frames; `LanesMachine` deals them out, and `invalidate` collects them."""

    def __init__(self, machine: LanesMachine, address: int, count: int) -> None:
        self._machine = machine
        self.address = address
        self.array: NDArray[np.uint8] = np.zeros(count, np.uint8)

    def flush(self) -> None:
        """Do nothing: the frames are dealt out when the run starts."""

    def invalidate(self) -> None:
        """Collect the frames of all boards."""
        self._machine.collect(self)

    def free(self) -> None:
        """Do nothing: memory is not reused."""


class LanesMachine:
    """`bonn_hw.driver.machine.Machine` on `Boards`.

    Parameters
    ----------
    frame_bytes : tuple of int
        Bytes of a frame of the input and of the output.
    """

    name = "the circuit that was read back"

    def __init__(
        self, boards: Boards, frame_bytes: tuple[int, int], clock_mhz: float = 100.0
    ) -> None:
        self._boards = boards
        self._bytes = frame_bytes
        self.clock_mhz = clock_mhz
        self.cycles = 0  # of all runs
        self._frames = self._each = 0
        self._buffers: list[SharedBuffer] = []

    @staticmethod
    def memory(frame_bytes: tuple[int, int], frames: int, boards: int) -> int:
        """Bytes of memory that each board needs for a batch."""
        each = -(-frames // boards)
        return PAGE + sum(-(-each * one // PAGE) * PAGE for one in frame_bytes)

    def read(self, offset: int) -> int:
        """Read a register."""
        return self._boards.read(offset)

    def write(self, offset: int, value: int) -> None:
        """Write a register; the number of frames becomes the share of one board."""
        if offset == registers.FRAMES:
            self._frames = value
            value = self._each = -(-value // self._boards.count)
        elif offset == registers.CONTROL and value & registers.START:
            self._deal()
        self._boards.write(offset, value)

    def allocate(self, count: int) -> SharedBuffer:
        """Allocate memory: the first buffer is for the input, the second for the output."""
        address = PAGE
        for earlier, size in zip(self._buffers, self._bytes, strict=False):
            each = -(-earlier.array.size // size // self._boards.count)
            address = earlier.address + -(-each * size // PAGE) * PAGE
        self._buffers.append(SharedBuffer(self, address, count))
        return self._buffers[-1]

    def wait(self) -> float:
        """Simulate some cycles; returns their time in seconds."""
        passed = self._boards.advance(POLL_CYCLES)
        self.cycles += passed
        return passed / (self.clock_mhz * 1e6)

    def close(self) -> None:
        """Leave the boards as they are."""

    def _deal(self) -> None:
        """Give each board its frames; boards without frames of their own repeat the first ones."""
        source, size = self._buffers[0], self._bytes[0]
        frames = source.array[: self._frames * size].reshape(self._frames, size)
        places = np.arange(self._boards.count * self._each) % self._frames
        dealt = frames[places].reshape(self._boards.count, -1)
        for board in range(self._boards.count):
            self._boards.store(source.address, dealt[board].tobytes(), board)

    def collect(self, buffer: SharedBuffer) -> None:
        """Fill a buffer with the output frames of all boards, in the order of the input."""
        if buffer is not self._buffers[1] or not self._frames:
            return
        size = self._bytes[1]
        parts = [
            self._boards.load(buffer.address, self._each * size, board)
            for board in range(self._boards.count)
        ]
        whole = np.frombuffer(b"".join(parts), np.uint8)[: self._frames * size]
        buffer.array[: whole.size] = whole
