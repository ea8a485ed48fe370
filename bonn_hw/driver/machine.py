# SPDX-License-Identifier: BSD-3-Clause
"""The board as the driver sees it: registers, buffers that the accelerator can reach, time."""

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
    board : str
        Which one the bitstream is for; it is loaded on no other.
    address : int or None
        Of the registers. None: the .hwh beside the bitstream tells it; bitstreams of the open tools
        have none, are for the Zynq-7000 and reach memory by its port S_AXI_HP0.

    Raises
    ------
    AcceleratorError
        If pynq or a file is missing, or this is another board.
    """

    POLL_S = 0.0002
    SLOWER = 0.98  # for the next try, where the clock's dividers give more than was asked for
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
            found = ", ".join(overlay.ip_dict) or "none"
            raise AcceleratorError(
                f"{bitstream} has no block 'accelerator' ({found}): it is not one of bonn-hw's"
            )
        return int(block["phys_addr"])

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
        """Leave the bitstream as it is.

        `Overlay.free` would close the device that all of a process share: no other bitstream could
        be loaded afterwards.
        """

    def _set_clock(self, clock_mhz: float) -> None:
        """As near as the board's dividers come; never faster, for timing was closed at this."""
        clocks, wanted = self._pynq.Clocks, clock_mhz
        clocks.fclk0_mhz = wanted
        while clocks.fclk0_mhz > clock_mhz * 1.001 and wanted > clock_mhz / 2:
            wanted *= self.SLOWER
            clocks.fclk0_mhz = wanted


def _check_board(board: str) -> None:
    """Raise AcceleratorError where this board has a name and it is another one."""
    here = _board_here()
    # Images may call it shorter or longer: Ultra96 for ultra96-v2, AUP-ZU3-8GB for aup-zu3.
    one, other = (re.sub("[^a-z0-9]", "", name.lower()) for name in (here or board, board))
    if not one.startswith(other) and not other.startswith(one):
        raise AcceleratorError(
            f"the bitstream is for the board {board}, this one is {here}: make one with 'bonn-hw "
            f"bitstream --board', or set the variable BOARD to {board} if the name is wrong"
        )


def _board_here() -> str | None:
    """What this board's image calls it; None where it does not say."""
    name = os.environ.get("BOARD", "")
    if not name:
        try:
            name = BOARD_FILE.read_text().strip("\0\n ")
        except OSError:
            return None
    return None if name in ("", "Unknown") else name
