# SPDX-License-Identifier: BSD-3-Clause
"""The board as the driver sees it: registers, buffers that the accelerator can reach, time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import AcceleratorError


class Buffer(Protocol):
    """Memory that both sides see."""

    array: NDArray[np.uint8]
    address: int

    def flush(self) -> None:
        """Hand what the processor has written to the accelerator."""

    def invalidate(self) -> None:
        """Let the processor see what the accelerator has written."""

    def free(self) -> None:
        """Give the memory back."""


class Machine(Protocol):
    """A board with the accelerator on it."""

    name: str

    def read(self, offset: int) -> int:
        """Read a register."""

    def write(self, offset: int, value: int) -> None:
        """Write a register."""

    def allocate(self, count: int) -> Buffer:
        """Get ``count`` bytes."""

    def wait(self) -> float:
        """Let a little time pass; returns seconds of the accelerator's time."""

    def close(self) -> None:
        """Leave the board."""


class PynqBuffer:
    """A buffer of `pynq.allocate`."""

    def __init__(self, array: Any) -> None:
        self._held = array
        self.array: NDArray[np.uint8] = np.asarray(array)
        self.address = int(array.physical_address)

    def flush(self) -> None:
        """Write caches back."""
        self._held.flush()

    def invalidate(self) -> None:
        """Forget what caches hold."""
        self._held.invalidate()

    def free(self) -> None:
        """Give the memory back."""
        self._held.freebuffer()


class PynqMachine:
    """A PYNQ board (pynq 3.x and 4.x) with a bitstream loaded.

    Parameters
    ----------
    clock_mhz : float
        Set after loading: the boot image's PLL may run at another rate than the tool assumed.
    """

    POLL_S = 0.0002

    def __init__(self, bitstream: Path, clock_mhz: float) -> None:
        try:
            import pynq
        except ModuleNotFoundError as error:
            raise AcceleratorError(
                "the package 'pynq' is not installed: run this on a PYNQ board, in its environment"
            ) from error
        if not bitstream.with_suffix(".hwh").is_file():
            raise AcceleratorError(
                f"{bitstream.with_suffix('.hwh')} is missing: copy it beside the bitstream"
            )
        self._pynq = pynq
        self._overlay = pynq.Overlay(str(bitstream))
        pynq.Clocks.fclk0_mhz = clock_mhz
        block = self._overlay.ip_dict.get("accelerator")
        if block is None:
            found = ", ".join(self._overlay.ip_dict) or "none"
            raise AcceleratorError(
                f"{bitstream} has no block 'accelerator' ({found}): it is not one of bonn-hw's"
            )
        self._registers = pynq.MMIO(block["phys_addr"], 0x1000)
        self.name = str(getattr(pynq.Device.active_device, "name", "PYNQ"))

    def read(self, offset: int) -> int:
        """Read a register."""
        return int(self._registers.read(offset))

    def write(self, offset: int, value: int) -> None:
        """Write a register."""
        self._registers.write(offset, value)

    def allocate(self, count: int) -> PynqBuffer:
        """Get memory in one piece."""
        return PynqBuffer(self._pynq.allocate(shape=(count,), dtype=np.uint8))

    def wait(self) -> float:
        """Sleep."""
        begin = time.perf_counter()
        time.sleep(self.POLL_S)
        return time.perf_counter() - begin

    def close(self) -> None:
        """Leave the bitstream as it is."""
        self._overlay.free()
