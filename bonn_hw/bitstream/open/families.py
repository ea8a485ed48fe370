# SPDX-License-Identifier: BSD-3-Clause
"""The flows with open tools, by device family."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from bonn_hw.bitstream.open import artix, ecp5, gowin, ice40, zynq
from bonn_hw.bitstream.open.flow import OpenPlan
from bonn_hw.bitstream.open.serial_boards import Chain
from bonn_hw.bitstream.tool_runs import Result
from bonn_hw.ir.target import Board
from bonn_hw.progress import Progress, silent


class OpenFlow(Protocol):
    """What `SevenSeries` and a `Chain` have in common."""

    def plan(self, system: Path, board: Board, clock_mhz: float, name: str) -> OpenPlan:
        """Plan the bitstream of the RTL in ``system/rtl``."""

    def make_bitstream(
        self, planned: OpenPlan, board: Board, system: Path, progress: Progress = silent
    ) -> Result:
        """Run a plan."""


# Families with a serial line whose tools are on PyPI.
SERIAL: Mapping[str, Chain] = {"ecp5": ecp5.CHAIN, "ice40": ice40.CHAIN, "gowin": gowin.CHAIN}
FLOWS: Mapping[str, OpenFlow] = {
    "zynq-7000": zynq.FLOW,
    "artix-7": artix.FLOW,
    **SERIAL,
}
