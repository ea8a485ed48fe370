# SPDX-License-Identifier: BSD-3-Clause
"""`Picture`: a drawing of a build in a file, which a notebook shows."""

from __future__ import annotations

from pathlib import Path

from bonn_hw.api.exporting import torch_needed
from bonn_hw.report.values import Report


class Picture:
    """A picture in a file; a notebook shows it.

    Attributes
    ----------
    path : Path
        The SVG file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"<Picture {self.path}>"

    def _repr_html_(self) -> str:
        svg = self.path.read_text()
        return svg[svg.index("<svg") :]


def layers_of(report: Report, folder: Path) -> Picture:
    """Draw cycles and resources of each layer into a folder, which is made if needed."""
    from bonn_hw.report import pictures

    folder.mkdir(parents=True, exist_ok=True)
    with torch_needed("plot"):
        drawn = pictures.draw_layers(report, folder)
    return Picture(next(path for path in drawn if path.suffix == ".svg"))
