# SPDX-License-Identifier: BSD-3-Clause
"""Rows of a sweep: what was asked for, and the design that came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bonn_hw.report.figures import PerResource
from bonn_hw.report.values import FLAT


@dataclass(frozen=True, kw_only=True)
class Design:
    """Predicted figures of a folded design; ``fits``: whether its board holds it."""

    frames_per_second: float
    cycles: int
    latency_cycles: int
    resources: PerResource[float] = field(metadata=FLAT)
    fits: bool


@dataclass(frozen=True, kw_only=True)
class SweepRow:
    """A job of a sweep.

    Attributes
    ----------
    fps : float or "max"
        Frames per second that were asked for; ``max``: as many as fit.
    design : Design or None
        What came of it; None where it was refused, and ``error`` says why.
    traceback : str or None
        Of a bug of ours.
    """

    model: str
    board: str
    clock_mhz: float
    fps: float | Literal["max"]
    folder: str
    design: Design | None = field(default=None, metadata=FLAT)
    error: str | None = None
    traceback: str | None = None
