# SPDX-License-Identifier: BSD-3-Clause
"""The page of a search: all candidates, the front, and what decided; without a script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bonn_hw.explore.front import Measured
from bonn_hw.explore.points import Point, Result
from bonn_hw.explore.study import Record
from bonn_hw.report.page.chart import Axis, Chart, legend, tip
from bonn_hw.report.page.markup import Content, Markup, tag
from bonn_hw.report.page.whole import section, whole


def page(result: Result, records: Sequence[Record], title: str) -> str:
    """The page as text."""
    goal, counts = result.space.goal, result.counts
    boards = ", ".join(one.name for one in goal.boards)
    place = f"{boards} at {goal.clock_mhz:g} MHz, at least {goal.fps:,.10g} frames/s"
    head = tag("header", tag("p", "bonn-hw explore"), tag("h1", title), tag("p", place))
    said = (
        f"{len(result.points)} networks that no other candidate beats in both accuracy and cost. "
        f"{counts.trained} were trained in {result.hours:.2f} hours of workers; "
        f"{counts.excluded} did not fit and were not."
    )
    parts: list[Content] = [tag("section", tag("p", tag("b", said)))]
    staged = [one for one in records if one.stages]
    if staged:
        lead = (
            "Point at a candidate to see its figures. Accuracies are those on held-out images; "
            "hollow points were trained for fewer epochs."
        )
        if result.zoo:
            lead += (
                " The zoo's networks are folded for the same target; their accuracy is that on all "
                "test images."
            )
        names = legend(["candidates", "front", *(["zoo"] if result.zoo else [])])
        told = tag("p", lead, class_="lead")
        parts.append(section("Accuracy and cost", told, _chart(result, staged), names))
    if result.points:
        parts.append(section("Front", _table(result.points)))
    if result.importance:
        lead = tag("p", "Share of each choice in what decides the accuracy.", class_="lead")
        items = [tag("li", f"{name}: {share:.0%}") for name, share in result.importance.items()]
        parts.append(section("Choices", lead, tag("ul", *items)))
    return whole(title, head, *parts)


def _chart(result: Result, records: Sequence[Record]) -> Markup:
    shown: list[Measured] = [*records, *result.points, *result.zoo]
    costs, accuracies = [one.cost for one in shown], [one.accuracy for one in shown]
    most = max(len(one.stages) for one in records)
    chart = Chart(
        Axis("LUT, block memories counted as LUT", min(costs) / 1.1, max(costs) * 1.1, log=True),
        Axis("accuracy", max(0.0, min(accuracies) - 0.02), min(1.0, max(accuracies) + 0.02)),
    )
    line = chart.line([(one.cost, one.accuracy) for one in result.points], "n1")
    return chart.picture("accuracy over cost", line, *_dots(chart, result, records, most))


def _dots(chart: Chart, result: Result, records: Sequence[Record], most: int) -> Iterator[Markup]:
    for one in records:
        x, y = chart.at(one.cost, one.accuracy)
        lines = [str(one.candidate), f"{one.accuracy:.2%} at {one.cost:,.0f} LUT"]
        hollow = "" if len(one.stages) == most else " hollow"
        circle = tag("circle", cx=x, cy=y, r=3.5)
        yield tag("g", circle, tip(x, y, lines), class_=f"point n0{hollow}", tabindex="0")
    for place, point in enumerate(result.points, 1):
        x, y = chart.at(point.cost, point.accuracy)
        lines = [f"point {place}: {point.candidate}", f"{_accuracy(point)}, {point.cost:,.0f} LUT"]
        circle = tag("circle", cx=x, cy=y, r=5)
        yield tag("g", circle, tip(x, y, lines), class_="point n1", tabindex="0")
    for rival in result.zoo:
        x, y = chart.at(rival.cost, rival.accuracy)
        lines = [f"zoo: {rival.name}", f"{rival.accuracy:.2%} at {rival.cost:,.0f} LUT"]
        circle = tag("circle", cx=x, cy=y, r=5)
        yield tag("g", circle, tip(x, y, lines), class_="point n2", tabindex="0")


def _accuracy(point: Point) -> str:
    spread = "" if point.spread is None else f" ± {100 * point.spread:.2f}"
    return f"{point.accuracy:.2%}{spread}"


def _table(points: Sequence[Point]) -> Markup:
    headings = ("Point", "Network", "Held-out accuracy", "LUT", "BRAM36", "DSP", "Frames/s")
    latency = points[0].hardware.latency_ms is not None
    head = [tag("th", one) for one in (*headings, *(["Latency in ms"] if latency else []))]
    rows = []
    for place, point in enumerate(points, 1):
        used = point.hardware
        cells = [str(point.candidate), _accuracy(point), f"{used.lut:,.0f}", f"{used.bram36:g}"]
        cells += [f"{used.dsp:g}", f"{used.frames_per_second:,.0f}"]
        cells += [f"{used.latency_ms:.4g}"] if latency else []
        rows.append(tag("tr", tag("th", str(place)), [tag("td", cell) for cell in cells]))
    return tag(
        "div", tag("table", tag("thead", tag("tr", head)), tag("tbody", *rows)), class_="wide"
    )
