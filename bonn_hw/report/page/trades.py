# SPDX-License-Identifier: BSD-3-Clause
"""Pages of many designs: the front of one model on a board, and a sweep.

A point of the chart is a design; its figures show under the pointer, without a script.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bonn_hw import files
from bonn_hw.report.figures import PerResource
from bonn_hw.report.page.chart import Axis, Chart, legend, tip
from bonn_hw.report.page.markup import Content, Markup, tag
from bonn_hw.report.page.whole import section, whole
from bonn_hw.report.sweep_values import SweepRow
from bonn_hw.report.values import Front

NAMES = PerResource("LUT", "flip-flops", "BRAM36", "DSP")
COLOURS = 6


@dataclass(frozen=True)
class Dot:
    """A design of a chart; ``series`` is the name of its colour."""

    series: str
    name: str
    rate: float
    cycles: int
    resources: PerResource[float]
    fits: bool


def write_front(front: Front, title: str, path: Path) -> None:
    """Write the page of a front; raises UserError if it cannot be written."""
    _write(front_page(front, title), path)


def write_sweep(rows: Sequence[SweepRow], title: str, path: Path) -> None:
    """Write the page of a sweep; raises UserError if it cannot be written."""
    _write(sweep_page(rows, title), path)


def _write(text: str, path: Path) -> None:
    with files.fresh_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def front_page(front: Front, title: str) -> str:
    """The trade-offs of a model on a board."""
    target = front.target
    dots = [
        Dot("designs", f"{one.cycles:,} cycles", one.frames_per_second, one.cycles, one.resources,
            one.fits)
        for one in front.front
    ]  # fmt: skip
    place = f"{target.board} ({target.part}) at {target.clock_mhz:g} MHz"
    fitting = [dot.rate for dot in dots if dot.fits]
    fastest = f"the fastest that fits: {max(fitting):,.0f} frames/s" if fitting else "none fits"
    said = f"{len(dots)} designs that no other beats in both rate and cost; {fastest}."
    return _page(title, place, said, dots, [])


def sweep_page(rows: Sequence[SweepRow], title: str) -> str:
    """All designs of a sweep, and those that could not be made."""
    dots, refused = [], []
    for row in rows:
        name = Path(row.folder).name
        if row.design is None:
            refused.append((name, row.error or ""))
            continue
        one = row.design
        series = f"{row.model}, {row.board} at {row.clock_mhz:g} MHz"
        dots.append(Dot(series, name, one.frames_per_second, one.cycles, one.resources, one.fits))
    said = f"{len(dots)} designs" + (f", and {len(refused)} refused" if refused else "") + "."
    return _page(title, "sweep", said, dots, refused)


def _page(
    title: str, place: str, said: str, dots: Sequence[Dot], refused: Sequence[tuple[str, str]]
) -> str:
    head = tag("header", tag("p", "bonn-hw report"), tag("h1", title), tag("p", place))
    parts: list[Content] = [tag("section", tag("p", tag("b", said)))]
    if dots:
        lead = "Point at a design to see its figures. Hollow points do not fit their board."
        series = list(dict.fromkeys(dot.series for dot in dots))
        names = legend(series) if len(series) > 1 else None
        told = tag("p", lead, class_="lead")
        parts.append(section("Rate and resources", told, *_charts(dots, series), names))
        parts.append(section("Designs", _table(dots)))
    if refused:
        items = [tag("li", tag("b", name), " ", error) for name, error in refused]
        parts.append(section("Refused", tag("ul", *items), class_="note"))
    return whole(title, head, *parts)


def _charts(dots: Sequence[Dot], series: Sequence[str]) -> Iterator[Markup]:
    """A chart for LUTs, and others for what a design uses at all."""
    rates = [dot.rate for dot in dots]
    for name in ("lut", "bram36", "dsp"):
        amounts = [dot.resources.named[name] for dot in dots]
        if not any(amounts):
            continue
        title = NAMES.named[name]
        chart = Chart(
            Axis("frames per second", min(rates) / 1.1, max(rates) * 1.1, log=True),
            Axis(title, 0, 1.08 * max(amounts)),
        )
        lines = []
        for number, kind in enumerate(series):
            ordered = sorted((d.rate, d.resources.named[name]) for d in dots if d.series == kind)
            lines.append(chart.line(ordered, f"n{number % COLOURS}"))
        points = [_point(chart, dot, name, series.index(dot.series)) for dot in dots]
        yield chart.picture(f"{title} over frames per second", *lines, *points)


def _point(chart: Chart, dot: Dot, name: str, number: int) -> Markup:
    x, y = chart.at(dot.rate, dot.resources.named[name])
    used = ", ".join(
        f"{amount:,.10g} {NAMES.named[key]}"
        for key, amount in _rounded(dot.resources).items()
        if amount and key != "ff"
    )
    fits = "fits" if dot.fits else "does not fit"
    lines = [dot.name, f"{dot.rate:,.0f} frames/s", used, fits]
    kind = f"point n{number % COLOURS}" + ("" if dot.fits else " hollow")
    circle = tag("circle", cx=x, cy=y, r=4.5)
    return tag("g", circle, tip(x, y, lines), class_=kind, tabindex="0")


def _rounded(resources: PerResource[float]) -> dict[str, float]:
    return {
        key: round(amount, 1 if key == "bram36" else None)
        for key, amount in resources.named.items()
    }


def _table(dots: Sequence[Dot]) -> Markup:
    headings = ("Design", "Frames/s", "Cycles", *NAMES, "Fits")
    head = tag("thead", tag("tr", [tag("th", one) for one in headings]))
    rows = []
    for dot in dots:
        figures = (f"{dot.rate:,.0f}", f"{dot.cycles:,}")
        amounts = (f"{amount:,.10g}" for amount in _rounded(dot.resources).values())
        cells = (*figures, *amounts, "yes" if dot.fits else "no")
        rows.append(tag("tr", tag("th", dot.name), [tag("td", cell) for cell in cells]))
    return tag("div", tag("table", head, tag("tbody", *rows)), class_="wide")
