# SPDX-License-Identifier: BSD-3-Clause
"""The shell's registers on boards that were read back, as docs/shell.md describes them.

The driver's runs never meet an error: so errors are provoked here, and every bit is written.
"""

from __future__ import annotations

from bonn_hw.bitstream.readback.board import Boards
from bonn_hw.bitstream.readback.frames import ReadbackFault
from bonn_hw.driver import registers as reg

PATTERNS = (0xAAAAAAAA, 0x55555555, 0)
SETTLED = 3000  # cycles in which a run that fails has ended
NOWHERE = 0x40000000  # an address at which no board has memory


def check(boards: Boards) -> None:
    """Write and read registers, and provoke errors; raises ReadbackFault for a wrong answer.

    Only address 0 of the boards' memory is read.
    """
    for register in (reg.IN_ADDRESS, reg.OUT_ADDRESS, reg.FRAMES, reg.WATCHDOG):
        for pattern in PATTERNS:
            boards.write(register, pattern)
            _expect(boards, register, pattern)
    _run(boards, frames=0, errors=reg.REFUSED)
    _run(boards, frames=1, errors=reg.READ_FAILED, source=NOWHERE)
    _run(boards, frames=1, errors=reg.WATCHDOG_BIT, watchdog=1)
    boards.write(reg.WATCHDOG, 0)
    boards.write(reg.FRAMES, 8)
    boards.write(reg.CONTROL, reg.START)
    _expect(boards, reg.STATUS, reg.BUSY)
    boards.write(reg.CONTROL, reg.START)  # while it is busy
    _expect(boards, reg.ERRORS, reg.REFUSED)
    boards.write(reg.CONTROL, reg.RESET)
    boards.write(reg.ERRORS, reg.EVERYTHING)
    boards.advance(SETTLED)
    _expect(boards, reg.STATUS, 0)
    _expect(boards, reg.FRAMES, 8)


def _run(boards: Boards, frames: int, errors: int, source: int = 0, watchdog: int = 0) -> None:
    """A run that fails with these errors, which a write clears."""
    values = {
        reg.IN_ADDRESS: source,
        reg.OUT_ADDRESS: 0,
        reg.FRAMES: frames,
        reg.WATCHDOG: watchdog,
        reg.CONTROL: reg.START,
    }
    for register, value in values.items():
        boards.write(register, value)
    boards.advance(SETTLED)
    _expect(boards, reg.ERRORS, errors)
    _expect(boards, reg.STATUS, 0 if errors == reg.REFUSED else reg.ERROR)
    boards.write(reg.INTERRUPT, 1)
    told = boards.advance(1) == 0  # an interrupt ends it
    boards.write(reg.INTERRUPT, 0)
    if told != (errors != reg.REFUSED):
        raise ReadbackFault(f"the interrupt is wrong after a run with errors {errors}")
    boards.write(reg.ERRORS, errors)
    _expect(boards, reg.ERRORS, 0)
    _expect(boards, reg.FRAMES_OUT, 0)


def _expect(boards: Boards, register: int, value: int) -> None:
    found = boards.read(register)
    if found != value:
        raise ReadbackFault(f"the register {register:#05x} is {found:#x}, and must be {value:#x}")
