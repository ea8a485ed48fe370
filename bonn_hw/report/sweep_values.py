# SPDX-License-Identifier: BSD-3-Clause
"""Rows of a sweep: the target, and the design or the error."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bonn_hw.report.figures import PerResource
from bonn_hw.report.values import FLAT


@dataclass(frozen=True, kw_only=True)
class Design:
    """Predicted figures of a folded design; ``fits``: whether it fits its board."""

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
        Requested frames per second; ``max``: the highest rate that fits.
    design : Design or None
        The folded design; None if there is an ``error``.
    traceback : str or None
        Traceback, if the error is a bug in bonn_hw.
    """

    model: str
    board: str
    clock_mhz: float
    fps: float | Literal["max"]
    folder: str
    design: Design | None = field(default=None, metadata=FLAT)
    error: str | None = None
    traceback: str | None = None
