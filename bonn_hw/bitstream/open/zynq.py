# SPDX-License-Identifier: BSD-3-Clause
"""The open flow of a Zynq-7000: the accelerator with its shell, at the processing system."""

from __future__ import annotations

from bonn_hw.bitstream.open.flow import WORK, files_folder
from bonn_hw.bitstream.open.seven_series import Around, SevenSeries
from bonn_hw.ir.target import OpenTools

ADDRESS = 0x40000000  # of the registers: the start of M_AXI_GP0; zynq.v decodes nothing else
# The router first searches a net in the rectangle around its pins, and all of that before it looks
# outside. Outputs of the PS7 enter the fabric up to 51 rows and 19 columns away from where its
# rectangle has them, so that most of the time went there. Numbers must not look binary.
SETTINGS = {"router2/bbMargin/x": "20", "router2/bbMargin/y": "55"}


def _around(device: OpenTools) -> Around:
    return Around(
        top="zynq",
        files=tuple(files_folder() / name for name in ("gp_port.sv", "zynq.v")),
        reads=(
            f"read_verilog -sv -defer ../{WORK}/gp_port.sv",
            f"read_verilog top.v system.v ../{WORK}/zynq.v",
        ),
        settings=SETTINGS,
    )


FLOW = SevenSeries(_around, ADDRESS)
