# SPDX-License-Identifier: BSD-3-Clause
"""The waves around the first value that differs, as a picture (SVG)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from bonn_hw.report.difference_values import FirstDifference, Wave
from bonn_hw.report.page.markup import Markup, tag

CYCLE, HEIGHT, ROW, LEFT, TOP = 44, 16, 26, 150, 24  # pixels
DIGITS = 5  # hexadecimal digits for each cycle that a value is shown for


def waves(found: FirstDifference) -> Markup | None:
    """The streams into the unit and out of it; the cycle that differs is marked."""
    if not found.waves or found.cycle is None:
        return None
    first, count = found.waves[0].first_cycle, len(found.waves[0].valid)
    width, height = LEFT + CYCLE * count + 8, TOP + ROW * 3 * len(found.waves) + 8
    marked = LEFT + CYCLE * (found.cycle - first)
    numbers = [
        tag("text", f"{first + place:,}", x=LEFT + CYCLE * place + CYCLE / 2, y=14, class_="cycle")
        for place in range(count)
    ]
    mark = tag("rect", x=marked, y=TOP - 4, width=CYCLE, height=height - TOP, class_="here")
    rows = [_stream(wave, TOP + ROW * 3 * place) for place, wave in enumerate(found.waves)]
    picture = tag(
        "svg",
        tag("title", f"Streams around cycle {found.cycle:,}"),
        mark,
        *numbers,
        *rows,
        width=width,
        height=height,
        viewBox=f"0 0 {width} {height}",
        role="img",
        class_="waves",
    )
    words = (
        "The streams of the unit, cycle by cycle: the data in hexadecimal, element 0 in the lowest "
        "digits. A beat passes where valid and ready are both high."
    )
    return tag("div", tag("p", words, class_="lead"), tag("div", picture, class_="wide"))


def _stream(wave: Wave, top: int) -> Iterator[Markup]:
    signals = (("tvalid", wave.valid), ("tready", wave.ready))
    yield _label(f"{wave.source} tdata", top)
    yield from _values(wave, top)
    for place, (name, levels) in enumerate(signals, start=1):
        yield _label(name, top + ROW * place)
        yield tag("path", d=_line(levels, top + ROW * place), class_=f"level {name}")


def _label(text: str, top: int) -> Markup:
    return tag("text", text, x=LEFT - 10, y=top + HEIGHT - 4, class_="signal")


def _line(levels: str, top: int) -> str:
    """The path of a signal of one bit."""
    words: list[str] = []
    for place, level in enumerate(levels):
        y = top if level == "1" else top + HEIGHT
        words.append(f"{'V' if words else f'M{LEFT} '}{y}H{LEFT + CYCLE * (place + 1)}")
    return "".join(words)


def _values(wave: Wave, top: int) -> Iterator[Markup]:
    """A box for each value, as long as it stays; a beat that passes ends it."""
    begin = 0
    held = _held(wave)
    for _, run in groupby(range(len(held)), key=held.__getitem__):
        length = len(list(run))
        value = wave.data[begin]
        if value:
            fits = DIGITS * length + (length - 1)
            text = value if len(value) <= fits else "…" + value[1 - fits :]
            x, wide = LEFT + CYCLE * begin, CYCLE * length
            box = tag("rect", x=x + 2, y=top, width=wide - 4, height=HEIGHT, rx=3)
            label = tag("text", text, x=x + wide / 2, y=top + HEIGHT - 4, class_="value")
            yield tag("g", tag("title", value), box, label, class_="beat")
        begin += length


def _held(wave: Wave) -> list[int]:
    """The number of the beat that each cycle shows: it changes behind a beat that passed."""
    numbers, number = [], 0
    for valid, ready in zip(wave.valid, wave.ready, strict=True):
        numbers.append(2 * number + (valid == "1"))
        number += valid == ready == "1"
    return numbers
