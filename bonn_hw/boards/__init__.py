# SPDX-License-Identifier: BSD-3-Clause
"""Boards that designs are made for: the device, what it holds, the usual clock."""

from __future__ import annotations

from bonn_hw.errors import UserError
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.target import Board

_ZYNQ_7020 = Resources(lut=53200, ff=106400, bram36=140, dsp=220)
_ZU3 = Resources(lut=70560, ff=141120, bram36=216, dsp=360)
_K26 = Resources(lut=117120, ff=234240, bram36=144, dsp=1248)
_ZU7 = Resources(lut=230400, ff=460800, bram36=312, dsp=1728)
_ZU28 = Resources(lut=425280, ff=850560, bram36=1080, dsp=4272)

BOARDS = {
    board.name: board
    for board in (
        Board("pynq-z1", "xc7z020clg400-1", 100.0, _ZYNQ_7020),
        Board("pynq-z2", "xc7z020clg400-1", 100.0, _ZYNQ_7020),
        Board("ultra96-v2", "xczu3eg-sbva484-1-i", 150.0, _ZU3),
        Board("aup-zu3", "xczu3eg-sfvc784-2-e", 150.0, _ZU3),
        Board("kv260", "xck26-sfvc784-2LV-c", 150.0, _K26),
        Board("zcu104", "xczu7ev-ffvc1156-2-e", 150.0, _ZU7),
        Board("zcu111", "xczu28dr-ffvg1517-2-e", 150.0, _ZU28),
        Board("rfsoc4x2", "xczu48dr-ffvg1517-2-e", 150.0, _ZU28),
    )
}


def board(name: str) -> Board:
    """Look a board up, or raise UserError that lists them."""
    try:
        return BOARDS[name]
    except KeyError:
        raise UserError(
            f"board {name!r} is not known; choose one of {', '.join(sorted(BOARDS))}"
        ) from None
