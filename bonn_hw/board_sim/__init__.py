# SPDX-License-Identifier: BSD-3-Clause
"""A board without the board: the shell around an accelerator, its bus and its memory, simulated."""

from bonn_hw.board_sim.board import BrokenRule, SimulatedBoard
from bonn_hw.board_sim.machine import SimulatedMachine

__all__ = ["BrokenRule", "SimulatedBoard", "SimulatedMachine"]
