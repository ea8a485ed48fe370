# SPDX-License-Identifier: BSD-3-Clause
"""Write every page and picture of the documentation that follows from code: ``make figures``.

Pages of measurements have programs of their own (``python -m benchmarks.NAME``). Screenshots need a
headless Chromium; without one they stay as they are, and a line says so. ``tests/test_figures.py``
finds what is stale.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import torch

from benchmarks import screenshots
from benchmarks.screenshots import ROOT
from bonn_hw import pipeline
from bonn_hw.api import page as api_page
from bonn_hw.boards import board
from bonn_hw.frontend import operators
from bonn_hw.marked_page import rewritten
from bonn_hw.nn.export import export
from bonn_hw.nn.models.networks import build
from bonn_hw.nn.training.checkpoint import Checkpoint
from bonn_hw.report import pictures, schema

DOCS = ROOT / "docs"
BOARD = board("pynq-z2")
FPS = 3000.0  # of the picture of CNV's layers
KINDS = ("layers", "front")
RESULTS = "<!-- results: written by python -m benchmarks.figures -->", "<!-- end of results -->"
NAMES = {
    "digits": "padded CNN",
    "fashion_tfc": "TFC",
    "fashion_sfc": "SFC",
    "fashion_cnv": "CNV",
    "fashion_wrn22": "WRN-22, residual",
}


def texts() -> dict[Path, Callable[[], str]]:
    """Files that follow from code and from other pages, and what they should hold."""

    def of(path: Path, written: Callable[[str], str]) -> Callable[[], str]:
        return lambda: written(path.read_text())

    api, models, readme = DOCS / "api.md", DOCS / "models.md", ROOT / "README.md"
    return {
        api: of(api, api_page.documented),
        models: of(models, operators.documented),
        schema.FILE: schema.text,
        readme: of(readme, lambda page: rewritten(page, RESULTS[0], _results(), RESULTS[1])),
    }


def _results() -> Iterator[str]:
    """The table of the README, from docs/zoo.md."""
    yield "| network | data | accuracy | LUT | block memories | frames/s |"
    yield "|---|---|---|---|---|---|"
    for line in (DOCS / "zoo.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] in NAMES and cells[3] == BOARD.name:
            network, data, accuracy, _, lut, bram36, _, rate = cells
            yield f"| {NAMES[network]} | {data} | {accuracy} | {lut} | {bram36} | {rate} |"
    yield ""


def drawings(folder: Path) -> dict[Path, Path]:
    """Pictures of the docs, and where they are drawn anew: of CNV, whose weights do not matter."""
    model = _cnv(folder)
    front = pipeline.fold_front(model, pipeline.Target(BOARD, BOARD.clock_mhz), None)
    target = pipeline.Target(BOARD, BOARD.clock_mhz, FPS)
    pictures.draw_layers(pipeline.fold_model(model, target, None), folder)
    pictures.draw_front(front, folder, BOARD)
    return {DOCS / "pictures" / f"cnv_{name}.svg": folder / f"{name}.svg" for name in KINDS}


@cache
def _cnv(folder: Path) -> Path:
    from benchmarks.__main__ import lively

    path = folder / "cnv.onnx"
    torch.manual_seed(0)
    export(Checkpoint(lively(build("cnv", in_channels=3)).eval()), path)
    return path


def caption(svg: str) -> list[str]:
    """The texts of a picture that Matplotlib drew, which stand beside its glyphs as comments."""
    return re.findall(r"<!-- (.*?) -->", svg)


def main() -> None:
    """Write all files, and name those that changed."""
    for path, text in texts().items():
        _write(path, text().encode())
    with tempfile.TemporaryDirectory() as name:
        for path, drawn in drawings(Path(name)).items():
            _write(path, drawn.read_bytes())
    if "--no-screenshots" not in sys.argv:
        screenshots.take(DOCS / "pictures")


def _write(path: Path, content: bytes) -> None:
    if path.read_bytes() != content:
        path.write_bytes(content)
        print(f"changed: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
