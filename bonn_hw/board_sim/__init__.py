# SPDX-License-Identifier: BSD-3-Clause
"""A simulated board: the RTL of the shell and the accelerator, with a simulated bus and memory."""

from bonn_hw.board_sim.board import BrokenRule, SimulatedBoard
from bonn_hw.board_sim.machine import SimulatedMachine

__all__ = ["BrokenRule", "SimulatedBoard", "SimulatedMachine"]
