# SPDX-License-Identifier: BSD-3-Clause
"""Pictures of the pages that commands write, by a headless Chromium: `take` for the docs.

Each page is that of a network of zoo/: its run, exported, compiled and simulated on a few frames.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import bonn_hw
from benchmarks.browser import NAMES, browser, opening, program
from bonn_hw import pipeline
from bonn_hw.boards import board

ROOT = Path(__file__).parent.parent
WIDTH = 1000
# Network of zoo/, frames/s, frames, and the height of the picture.
BUILDS = {
    "report_page": ("digits", 50_000.0, 364, 1180),
    "report_cnv": ("fashion_cnv", 3_000.0, 20, 2000),
    "report_wrn22": ("fashion_wrn22", 1_000.0, 10, 2000),
}


def take(pictures: Path) -> None:
    """Take all pictures of the docs anew, and print how fast the pages open."""
    if program() is None:
        print(f"no screenshots: no browser ({', '.join(NAMES)})")
        return
    with tempfile.TemporaryDirectory() as name, browser() as tab:
        folder = Path(name)

        def shoot(page: Path, picture: str, height: int, dark: bool = False) -> None:
            tab.show(WIDTH, height, dark)
            size, opened = page.stat().st_size / 1e3, opening(tab, page)
            print(
                f"{picture}: {size:.0f} kB, {opened.load:.2f} s loaded, {opened.paint:.2f} s seen"
            )
            tab.shoot(pictures / f"{picture}.png")

        for picture, (network, fps, frames, height) in BUILDS.items():
            build = _build(network, fps, folder / network)
            x, labels = _images(network, frames)
            build.compare(x, torch=ROOT / "zoo" / network, labels=labels, progress=False)
            shoot(build.folder / "report.html", picture, height)
        shoot(folder / "digits" / "report.html", "report_dark", 800, dark=True)
        broken = plant(folder / "digits")
        x, _ = _images("digits", 50)
        broken.compare(x, progress=False)
        shoot(broken.folder / "report.html", "mismatch_page", 1080)
        front = folder / "CNV on a PYNQ-Z2"
        target = pipeline.Target(board("pynq-z2"), 100.0)
        pipeline.fold_front(folder / "fashion_cnv" / "model.onnx", target, front)
        shoot(front / "report.html", "front_page", 900)


def plant(folder: Path) -> bonn_hw.Build:
    """Turn one weight of a build's second matrix unit around, in its memory image."""
    image = folder / "rtl" / "mem" / "mvu_1_weights.hex"
    first, *others = image.read_text().split("\n")
    turned = f"{int(first, 16) ^ 1:0{len(first)}x}"
    image.write_text("\n".join((turned, *others)))
    return bonn_hw.Build(folder, trust=True)


def _build(network: str, fps: float, out: Path) -> bonn_hw.Build:
    model = bonn_hw.Model.from_run(ROOT / "zoo" / network)
    return model.compile("pynq-z2", fps, out=out, progress=False)


def _images(network: str, count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    from bonn_hw.nn.data import datasets
    from bonn_hw.nn.training.experiment import Experiment

    experiment = Experiment.read(ROOT / "zoo" / network / "experiment.toml")
    images = datasets.load(experiment.dataset, "test").first(count)
    images = images.transformed(experiment.transform)
    return images.images, images.labels
