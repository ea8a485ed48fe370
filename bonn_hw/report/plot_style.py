# SPDX-License-Identifier: BSD-3-Clause
"""Style of the pictures: Matplotlib's settings and colours. Does not import Matplotlib."""

from __future__ import annotations

from typing import Any

# Okabe and Ito's colours can be distinguished with any colour vision.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#767676"
STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "figure.constrained_layout.use": True,
    "figure.dpi": 150,
    "figure.titlesize": 11,
    "font.size": 9,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "lines.markersize": 3,
    "savefig.dpi": 150,
    # Seed of the identifiers in an SVG, which are otherwise random.
    "svg.hashsalt": "bonn-hw",
    "xtick.color": GREY,
    "xtick.labelcolor": "black",
    "xtick.labelsize": 8,
    "ytick.color": GREY,
    "ytick.labelcolor": "black",
    "ytick.labelsize": 8,
}
