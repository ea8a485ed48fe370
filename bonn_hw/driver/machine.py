# SPDX-License-Identifier: BSD-3-Clause
"""The driver's interface to a board: registers, buffers for the accelerator, waiting."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .errors import AcceleratorError

if TYPE_CHECKING:
    from numpy.typing import NDArray

OLDEST = 3  # major version of pynq
LOGIN = "'sudo -E python3' in a login shell ('ssh -t BOARD', then 'bash -l'), which sets up XRT"
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
    """A board with the accelerator on it; ``clock_mhz`` is the accelerator's clock."""

    name: str
    clock_mhz: float

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
    """A buffer of `pynq.allocate`, which the caches hold until `flush` or `invalidate`."""

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
        Address of the registers, for a Zynq-7000: the bitstream is loaded alone, and uses the
        memory port S_AXI_HP0. None: it is in the .hwh next to the bitstream, which also has the
        widths of the ports of a Zynq UltraScale+.

    Attributes
    ----------
    clock_mhz : float
        The clock that runs: a whole part of the board's PLL, at most the planned one.

    Raises
    ------
    AcceleratorError
        If pynq or a file is missing, this is another board or an old image, or if the bitstream
        cannot be loaded.
    """

    POLL_S = 0.0002
    SLOWER = 0.98  # factor for the next try, if the clock is higher than requested
    # AFI_RDCHAN_CTRL and AFI_WRCHAN_CTRL of S_AXI_HP0 (UG585, appendix B): bit 0 makes it 32 bits
    # wide; a boot loader may have set it.
    HP0, CHANNELS = 0xF8008000, (0x00, 0x14)

    def __init__(
        self, bitstream: Path, clock_mhz: float, board: str, address: int | None = None
    ) -> None:
        pynq = _import_pynq()
        needed = [bitstream] if address is not None else [bitstream, bitstream.with_suffix(".hwh")]
        for path in needed:
            if not path.is_file():
                raise AcceleratorError(
                    f"{path} is missing: copy all files of one build that begin with its name"
                )
        _check_board(board)
        self._pynq = pynq
        try:
            if address is None:
                address = self._load_overlay(bitstream)
            else:
                self._load_alone(bitstream)
            self._set_clock(clock_mhz)
            self._registers = pynq.MMIO(address, 0x1000)
        except AcceleratorError:
            raise
        except Exception as error:  # pynq raises many kinds, down to TypeError
            raise AcceleratorError(first_contact(error)) from error
        self.clock_mhz = float(pynq.Clocks.fclk0_mhz)
        self.name = _board_here() or "this board"

    def _load_alone(self, bitstream: Path) -> None:
        self._pynq.Bitstream(str(bitstream.resolve())).download()
        port = self._pynq.MMIO(self.HP0, 0x1000)
        for channel in self.CHANNELS:
            port.write(channel, int(port.read(channel)) & ~1)

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
        """Allocate contiguous memory, with caches: without them, each access takes much longer."""
        return PynqBuffer(self._pynq.allocate(shape=(count,), dtype=np.uint8, cacheable=1))

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


def _import_pynq() -> Any:
    try:
        import pynq
    except ModuleNotFoundError as error:
        if error.name != "pynq":
            raise AcceleratorError(first_contact(error)) from error
        raise AcceleratorError(
            "the package 'pynq' is not installed: run this on a PYNQ board, in its environment: "
            f"{LOGIN}"
        ) from error
    except Exception as error:  # such as OSError: a library of XRT is missing
        raise AcceleratorError(first_contact(error)) from error
    if int(pynq.__version__.split(".")[0]) < OLDEST:
        raise AcceleratorError(
            f"pynq {pynq.__version__} is too old: write an SD image of PYNQ 3.0.1 or newer"
        )
    return pynq


def first_contact(error: BaseException) -> str:
    """What an error of pynq most likely means, in one sentence with the remedy."""
    told = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if os.geteuid() != 0:
        return f"pynq cannot use the board ({told}): only root may: {LOGIN}"
    if "XILINX_XRT" not in os.environ:
        return f"pynq cannot use the board ({told}): XRT is not set up: {LOGIN}"
    if isinstance(error, RuntimeError) and "No Devices" in told:
        return f"pynq finds no device ({told}): run this on a PYNQ board, with an image of PYNQ"
    return (
        f"pynq cannot load the bitstream ({told}): copy the whole folder again, and start the "
        "board again; it needs an image of PYNQ 3.0.1 or newer"
    )


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
