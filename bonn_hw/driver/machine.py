# SPDX-License-Identifier: BSD-3-Clause
"""The driver's interface to a board: registers, buffers for the accelerator, waiting."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import AcceleratorError

BOARD_FILE = Path("/proc/device-tree/chosen/pynq_board")  # PYNQ's images name their board here


class Buffer(Protocol):
    """Memory that the processor and the accelerator share."""

    array: NDArray[np.uint8]
    address: int

    def flush(self) -> None:
        """Make the processor's writes visible to the accelerator."""

    def invalidate(self) -> None:
        """Make the accelerator's writes visible to the processor."""

    def free(self) -> None:
        """Free the memory."""


class Machine(Protocol):
    """A board with the accelerator on it."""

    name: str

    def read(self, offset: int) -> int:
        """Read a register."""

    def write(self, offset: int, value: int) -> None:
        """Write a register."""

    def allocate(self, count: int) -> Buffer:
        """Allocate ``count`` bytes."""

    def wait(self) -> float:
        """Wait a little; returns the seconds that have passed for the accelerator."""

    def close(self) -> None:
        """Release the board."""


class PynqBuffer:
    """A buffer of `pynq.allocate`."""

    def __init__(self, array: Any) -> None:
        self._held = array
        self.array: NDArray[np.uint8] = np.asarray(array)
        self.address = int(array.physical_address)

    def flush(self) -> None:
        """Write the caches back to memory."""
        self._held.flush()

    def invalidate(self) -> None:
        """Invalidate the caches."""
        self._held.invalidate()

    def free(self) -> None:
        """Free the memory."""
        self._held.freebuffer()


class PynqMachine:
    """A PYNQ board (pynq 3.x and 4.x) with a bitstream loaded.

    Parameters
    ----------
    clock_mhz : float
        Clock, set after loading: the boot image's PLL may have another rate than Vivado assumed.
    board : str
        Board of the bitstream; it is not loaded on another one.
    address : int or None
        Address of the registers. None: it is in the .hwh next to the bitstream. Bitstreams of the
        open tools have no .hwh; they are for the Zynq-7000 and use its memory port S_AXI_HP0.

    Raises
    ------
    AcceleratorError
        If pynq or a file is missing, or this is another board.
    """

    POLL_S = 0.0002
    SLOWER = 0.98  # factor for the next try, if the clock is higher than requested
    # AFI_RDCHAN_CTRL and AFI_WRCHAN_CTRL of S_AXI_HP0 (UG585, appendix B): bit 0 makes it 32 bits
    # wide; a boot loader may have set it.
    HP0, CHANNELS = 0xF8008000, (0x00, 0x14)

    def __init__(
        self, bitstream: Path, clock_mhz: float, board: str, address: int | None = None
    ) -> None:
        try:
            import pynq
        except ModuleNotFoundError as error:
            raise AcceleratorError(
                "the package 'pynq' is not installed: run this on a PYNQ board, in its environment"
            ) from error
        needed = [bitstream] if address is not None else [bitstream, bitstream.with_suffix(".hwh")]
        for path in needed:
            if not path.is_file():
                raise AcceleratorError(
                    f"{path} is missing: copy all files of one build that begin with its name"
                )
        _check_board(board)
        self._pynq = pynq
        if address is None:
            address = self._load_overlay(bitstream)
        else:
            pynq.Bitstream(str(bitstream.resolve())).download()
            port = pynq.MMIO(self.HP0, 0x1000)
            for channel in self.CHANNELS:
                port.write(channel, int(port.read(channel)) & ~1)
        self._set_clock(clock_mhz)
        self._registers = pynq.MMIO(address, 0x1000)
        self.name = _board_here() or "this board"

    def _load_overlay(self, bitstream: Path) -> int:
        overlay = self._pynq.Overlay(str(bitstream.resolve()))
        block = overlay.ip_dict.get("accelerator")
        if block is None:
            blocks = ", ".join(overlay.ip_dict) or "none"
            raise AcceleratorError(
                f"{bitstream} has no block 'accelerator' ({blocks}): it is not one of bonn-hw's"
            )
        return int(block["phys_addr"])

    def read(self, offset: int) -> int:
        """Read a register."""
        return int(self._registers.read(offset))

    def write(self, offset: int, value: int) -> None:
        """Write a register."""
        self._registers.write(offset, value)

    def allocate(self, count: int) -> PynqBuffer:
        """Allocate contiguous memory."""
        return PynqBuffer(self._pynq.allocate(shape=(count,), dtype=np.uint8))

    def wait(self) -> float:
        """Sleep; returns the seconds."""
        begin = time.perf_counter()
        time.sleep(self.POLL_S)
        return time.perf_counter() - begin

    def close(self) -> None:
        """Leave the bitstream loaded.

        `Overlay.free` would close the device, which the whole process shares: no other bitstream
        could be loaded afterwards.
        """

    def _set_clock(self, clock_mhz: float) -> None:
        """Set the nearest clock that the dividers allow, but not a faster one: timing may fail."""
        clocks, requested = self._pynq.Clocks, clock_mhz
        clocks.fclk0_mhz = requested
        while clocks.fclk0_mhz > clock_mhz * 1.001 and requested > clock_mhz / 2:
            requested *= self.SLOWER
            clocks.fclk0_mhz = requested


def _check_board(board: str) -> None:
    """Raise AcceleratorError if this board has a name, and it is another one."""
    here = _board_here()
    # Images may call it shorter or longer: Ultra96 for ultra96-v2, AUP-ZU3-8GB for aup-zu3.
    one, other = (re.sub("[^a-z0-9]", "", name.lower()) for name in (here or board, board))
    if not one.startswith(other) and not other.startswith(one):
        raise AcceleratorError(
            f"the bitstream is for the board {board}, this one is {here}: make one with 'bonn-hw "
            f"bitstream --board', or set the variable BOARD to {board} if the name is wrong"
        )


def _board_here() -> str | None:
    """This board's name in its image; None if it has none."""
    name = os.environ.get("BOARD", "")
    if not name:
        try:
            name = BOARD_FILE.read_text().strip("\0\n ")
        except OSError:
            return None
    return None if name in ("", "Unknown") else name
