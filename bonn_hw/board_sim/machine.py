# SPDX-License-Identifier: BSD-3-Clause
"""The simulated board for the driver, in the place of `pynq` on a real board."""

from __future__ import annotations

import numpy as np

from bonn_hw.board_sim.board import MEMORY_BYTES, SimulatedBoard

PAGE = 4096
POLL_CYCLES = 20_000  # simulated while the driver waits


class SimulatedBuffer:
    """Memory that the accelerator sees after `flush`, and the driver after `invalidate`."""

    def __init__(self, board: SimulatedBoard, address: int, count: int) -> None:
        self._board = board
        self.address = address
        self.array = np.zeros(count, np.uint8)

    def flush(self) -> None:
        """Make the processor's writes visible to the accelerator."""
        self._board.store(self.address, self.array.tobytes())

    def invalidate(self) -> None:
        """Make the accelerator's writes visible to the processor."""
        self.array[:] = np.frombuffer(self._board.load(self.address, self.array.size), np.uint8)

    def free(self) -> None:
        """Do nothing: memory is not reused."""


class SimulatedMachine:
    """`bonn_hw.driver.machine.Machine` on a `SimulatedBoard`, which it does not close."""

    name = "the simulated board"

    def __init__(self, board: SimulatedBoard, clock_mhz: float = 100.0) -> None:
        self.board = board
        self.clock_mhz = clock_mhz
        self._next = PAGE

    def read(self, offset: int) -> int:
        """Read a register."""
        return self.board.read(offset)

    def write(self, offset: int, value: int) -> None:
        """Write a register."""
        self.board.write(offset, value)

    def allocate(self, count: int) -> SimulatedBuffer:
        """Allocate memory at the next page."""
        address = self._next
        self._next += -(-count // PAGE) * PAGE
        if self._next > MEMORY_BYTES:
            raise MemoryError(f"the simulated board has {MEMORY_BYTES} bytes of memory")
        return SimulatedBuffer(self.board, address, count)

    def wait(self) -> float:
        """Simulate some cycles; returns their time in seconds."""
        return self.board.advance(POLL_CYCLES) / (self.clock_mhz * 1e6)

    def close(self) -> None:
        """Leave the board as it is."""
