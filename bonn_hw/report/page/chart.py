# SPDX-License-Identifier: BSD-3-Clause
"""Charts of a page as SVG: axes with ticks, and places in them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bonn_hw.report.page.markup import Content, Markup, tag

WIDTH, HEIGHT = 720, 320  # pixels
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 12, 44


@dataclass(frozen=True)
class Axis:
    """A range of values along one side of a chart.

    Attributes
    ----------
    log : bool
        Whether equal distances are equal factors.
    percent : bool
        Whether values are shares.
    """

    title: str
    low: float
    high: float
    log: bool = False
    percent: bool = False

    def share(self, value: float) -> float:
        """Where a value lies, from 0 to 1."""
        low, high = (math.log(one) if self.log else one for one in (self.low, self.high))
        place = math.log(value) if self.log else value
        return (place - low) / (high - low) if high > low else 0.5

    @property
    def ticks(self) -> list[float]:
        """Round values, five to ten of them."""
        if self.log:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            found = [base * 10.0**power for power in powers for base in (1, 2, 5)]
        else:
            rough = (self.high - self.low) / 5 or 1.0
            size = 10.0 ** math.floor(math.log10(rough))
            step = next(size * base for base in (1, 2, 5, 10) if size * base >= rough)
            found = [step * n for n in range(math.ceil(self.low / step), int(self.high / step) + 1)]
        return [value for value in found if self.low <= value <= self.high]

    def text(self, value: float) -> str:
        """A value as it is written at the axis."""
        return f"{100 * value:g}%" if self.percent else f"{value:,.10g}"


@dataclass(frozen=True)
class Chart:
    """Two axes; `picture` draws them with contents."""

    x: Axis
    y: Axis

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Pixels of a point."""
        wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        return (
            round(LEFT + wide * self.x.share(x), 1),
            round(TOP + high * (1 - self.y.share(y)), 1),
        )

    def line(self, points: Sequence[tuple[float, float]], class_: str) -> Markup:
        """A line through points."""
        words = " ".join(f"{x:g},{y:g}" for x, y in (self.at(*one) for one in points))
        return tag("polyline", points=words, class_=f"line {class_}")

    def picture(self, title: str, *contents: Content) -> Markup:
        """The chart with its contents before the axes' grid."""
        return tag(
            "svg",
            tag("title", title),
            *self._grid(),
            *contents,
            viewBox=f"0 0 {WIDTH} {HEIGHT}",
            role="img",
            class_="chart",
        )

    def _grid(self) -> Iterator[Markup]:
        bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
        for value in self.y.ticks:
            _, y = self.at(self.x.low, value)
            yield tag("path", d=f"M{LEFT} {y:g}H{right}", class_="grid")
            yield tag("text", self.y.text(value), x=LEFT - 8, y=y + 4, class_="tick left")
        for value in self.x.ticks:
            x, _ = self.at(value, self.y.low)
            yield tag("path", d=f"M{x:g} {bottom}v5", class_="grid")
            yield tag("text", self.x.text(value), x=x, y=bottom + 19, class_="tick")
        yield tag("path", d=f"M{LEFT} {bottom}H{right}", class_="axis")
        yield tag("text", self.x.title, x=(LEFT + right) / 2, y=HEIGHT - 6, class_="tick")
        yield tag("text", self.y.title, x=LEFT, y=TOP - 2, class_="tick name")


def tip(x: float, y: float, lines: Sequence[str]) -> Markup:
    """A box of text beside a point, shown while the pointer is on the point's group."""
    wide, high = 14 + 6.6 * max(map(len, lines)), 8 + 16 * len(lines)
    left = x + 12 if x + 12 + wide < WIDTH else x - 12 - wide
    top = min(max(y - high / 2, 2), HEIGHT - high - 2)
    texts = [
        tag("text", line, x=left + 7, y=top + 16 + 16 * place) for place, line in enumerate(lines)
    ]
    box = tag("rect", x=left, y=top, width=wide, height=high, rx=5)
    return tag("g", box, *texts, class_="tip")


def legend(names: Sequence[str]) -> Markup:
    """The names of the colours n0, n1, …"""
    items = [tag("li", tag("i", class_=f"n{n % 6}"), name) for n, name in enumerate(names)]
    return tag("ul", *items, class_="legend")
