# SPDX-License-Identifier: BSD-3-Clause
"""What the pictures of layers and of fronts call things. Does not import Matplotlib."""

from __future__ import annotations

from collections.abc import Iterable

from bonn_hw.report.figures import PerResource

TITLES = {"lut": "LUT", "bram36": "BRAM36", "dsp": "DSP"}
UNITS = {"lut": "LUT", "bram36": "BRAM of 36 kbit", "dsp": "DSP slices"}


def drawn(amounts: Iterable[PerResource[float]]) -> list[str]:
    """The resources that are drawn; DSP slices only if a design has any."""
    return ["lut", "bram36", *(["dsp"] if any(one.dsp for one in amounts) else [])]


def formatted_rate(rate: float) -> str:
    """Format a frame rate: 12,345 or, below 1000, with four digits, such as 0.1235."""
    return f"{rate:,.0f}" if rate >= 1000 else f"{rate:.4g}"
