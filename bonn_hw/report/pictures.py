# SPDX-License-Identifier: BSD-3-Clause
"""Pictures: the resources of a design's layers, and resources against frame rate of a front.

Matplotlib is imported only when a picture is drawn.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bonn_hw import files
from bonn_hw.ir.target import Board
from bonn_hw.report import plot_style
from bonn_hw.report.front_picture import front_figure
from bonn_hw.report.layers_picture import layers_figure
from bonn_hw.report.values import Front, Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = plot_style.STYLE | {"figure.constrained_layout.w_pad": 0.08, "lines.markersize": 4}


def draw_layers(report: Report, folder: Path) -> list[Path]:
    """Draw the cycles and the resources of every layer: ``layers.png`` and ``layers.svg``.

    Parameters
    ----------
    report
        The report of a design; its layers are in dataflow order.
    folder
        Output folder; it is created if needed.

    Returns
    -------
    list[Path]
        The files written. The SVG is reproducible byte for byte.

    Raises
    ------
    UserError
        If a file cannot be written.
    """
    return _write("layers", folder, lambda: layers_figure(report))


def draw_front(front: Front, folder: Path, device: Board | None = None) -> list[Path]:
    """Draw the resources of designs against their frame rates: ``front.png`` and ``front.svg``.

    Parameters
    ----------
    front
        At least one design, in any order.
    folder
        Output folder; it is created if needed.
    device
        The board; None: look it up by its name.

    Returns
    -------
    list[Path]
        The files written. The SVG is reproducible byte for byte.

    Raises
    ------
    UserError
        If a file cannot be written.
    """
    return _write("front", folder, lambda: front_figure(front, device))


def _write(name: str, folder: Path, draw: Callable[[], Figure]) -> list[Path]:
    import matplotlib.style

    payloads = {}
    # Start from Matplotlib's defaults, so that a user's own style has no effect.
    with matplotlib.style.context(["default", STYLE]):
        # A Figure without pyplot is drawn by Agg and needs no display.
        figure = draw()
        for suffix, metadata in (("png", None), ("svg", {"Date": None})):
            stream = io.BytesIO()
            figure.savefig(stream, format=suffix, metadata=metadata)
            payloads[folder / f"{name}.{suffix}"] = stream.getvalue()
    for path, payload in payloads.items():
        with files.fresh_file(path) as partial:
            partial.write_bytes(payload)
    return list(payloads)
