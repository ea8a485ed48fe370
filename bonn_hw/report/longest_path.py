# SPDX-License-Identifier: BSD-3-Clause
"""What limits the clock of a synthesised design, as far as logic decides."""

from __future__ import annotations

from bonn_hw.report.values import Report
from bonn_hw.synth.paths import LongestPath

WHOLE = "the whole design"


def longest_path(report: Report) -> tuple[str, LongestPath] | None:
    """The longest path of the synthesised stages and of the design, and in which of them it is.

    A path inside of a stage is that of the stage, not of the design. None before any synthesis.
    """
    uses = [(layer.name, layer.synthesised) for layer in report.layers]
    uses += [(WHOLE, report.synthesis)]
    found = [(name, use.longest) for name, use in uses if use is not None and use.longest]
    return max(found, key=lambda one: one[1].depth, default=None)
