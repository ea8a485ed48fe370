# SPDX-License-Identifier: BSD-3-Clause
"""The training beside the build: accuracies over the epochs, and the last ones in words."""

from __future__ import annotations

from collections.abc import Iterator

from bonn_hw.report.page.chart import Axis, Chart, legend, tip
from bonn_hw.report.page.markup import Markup, tag
from bonn_hw.report.values import Training

KINDS = {"train_accuracy": "training", "test_accuracy": "test"}


def curves(training: Training) -> Iterator[Markup]:
    """A sentence, the lines, and a box for each epoch under the pointer."""
    last = training.epochs[-1]
    said = [f"{training.network}, {len(training.epochs)} epochs, loss {last.loss:.4g}"]
    lines = {}
    for name, kind in KINDS.items():
        shares = [getattr(epoch, name) for epoch in training.epochs]
        points = [(n, share) for n, share in enumerate(shares, start=1) if share is not None]
        if points:
            lines[training.tested if name == "test_accuracy" else kind] = points
    said += [f"{kind} accuracy {points[-1][1]:.2%}" for kind, points in lines.items()]
    yield tag("p", ", ".join(said) + ".", class_="lead")
    if not lines:
        return
    shares = [share for points in lines.values() for _, share in points]
    chart = Chart(
        Axis("epoch", 1, max(2, len(training.epochs))),
        Axis("accuracy", min(shares), max(max(shares), min(shares) + 0.01), percent=True),
    )
    drawn = [chart.line(points, f"n{n}") for n, points in enumerate(lines.values())]
    dots = []
    for n, (kind, points) in enumerate(lines.items()):
        for epoch, share in points:
            x, y = chart.at(epoch, share)
            words = tip(x, y, [f"epoch {epoch}", f"{kind} {share:.2%}"])
            dots.append(tag("g", tag("circle", cx=x, cy=y, r=3.5), words, class_=f"point n{n}"))
    yield chart.picture("Accuracy over the epochs", *drawn, *dots)
    yield legend(tuple(lines))
