# SPDX-License-Identifier: BSD-3-Clause
"""The open flow of a Zynq-7000: the accelerator with its shell, at the processing system."""

from __future__ import annotations

from bonn_hw.bitstream.open.flow import WORK, files_folder
from bonn_hw.bitstream.open.seven_series import Around, SevenSeries
from bonn_hw.ir.target import OpenTools

ADDRESS = 0x40000000  # of the registers: the start of M_AXI_GP0; zynq.v decodes nothing else


def _around(device: OpenTools) -> Around:
    return Around(
        top="zynq",
        files=tuple(files_folder() / name for name in ("gp_port.sv", "zynq.v")),
        reads=(
            f"read_verilog -sv -defer ../{WORK}/gp_port.sv",
            f"read_verilog top.v system.v ../{WORK}/zynq.v",
        ),
    )


FLOW = SevenSeries(_around, ADDRESS)
