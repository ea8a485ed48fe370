# SPDX-License-Identifier: BSD-3-Clause
"""The integer graph at speed: the same integers as `DataflowGraph.run`, from packed bits."""

from bonn_hw.engine.engine import Engine, run

__all__ = ["Engine", "run"]
