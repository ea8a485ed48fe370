# SPDX-License-Identifier: BSD-3-Clause
"""The open flow of an Artix-7: the accelerator behind the board's serial line."""

from __future__ import annotations

from bonn_hw.bitstream.open.flow import WORK
from bonn_hw.bitstream.open.seven_series import Around, SevenSeries
from bonn_hw.ir.target import OpenTools


def _around(device: OpenTools) -> Around:
    top, pins = (file.name for file in device.files)
    return Around(
        top=device.top,
        files=device.files,
        reads=(f"read_verilog top.v serial_system.v ../{WORK}/{top}",),
        routing=("-o", f"xdc={pins}"),
    )


FLOW = SevenSeries(_around)
