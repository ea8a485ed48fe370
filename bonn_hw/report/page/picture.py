# SPDX-License-Identifier: BSD-3-Clause
"""The picture of the network: one row a unit, and its streams as lines beside the rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bonn_hw.report.page.markup import Markup, tag
from bonn_hw.report.page.network import Link, Network, Unit
from bonn_hw.report.page.tables import bar

ROW = 84  # pixels, as in page.css
TRACK = 16  # pixels between two parallel lines
DOT = 54  # the middle of a row's card, from the top of the row
BEND = 22  # pixels in which a line leaves the column of dots
LEFT = 12  # the middle of the column of dots


def picture(network: Network, wrong: str = "") -> Markup:
    """The rows with the lines of the streams; the slowest units are marked.

    Parameters
    ----------
    wrong : str
        The unit in which a value first differs, to be marked too.
    """
    arriving: dict[int, list[Link]] = {}
    for link in network.links:
        arriving.setdefault(link.last, []).append(link)
    tracks = _tracks(network.links)
    width = 2 * LEFT + TRACK * max(tracks.values(), default=0)
    rows = []
    for place, unit in enumerate(network.units):
        slow = unit.layer is not None and unit.cycles == network.slowest
        lines = tag(
            "svg", *_lines(place, slow, tracks), width=width, height=ROW, aria_hidden="true"
        )
        rows.append(_row(network, unit, arriving.get(place, []), wrong, lines))
    return tag("ol", *rows, class_="network", style=f"--gutter:{width}px")


def stream_text(link: Link) -> str:
    """A stream in words: ``24 bits (3 × 8) → 8 bits (1 × 8), FIFO 512 (311 used)``."""
    text = " → ".join(_width(lanes, link.bits) for lanes in link.lanes)
    for fifo in link.fifos:
        used = "" if fifo.peak is None else f" ({fifo.peak:,} used)"
        text += f", FIFO {fifo.depth:,}{used}"
    return text


def _width(lanes: int, bits: int) -> str:
    width = lanes * bits
    return f"{width} {'bit' if width == 1 else 'bits'} ({lanes} × {bits})"


def _row(network: Network, unit: Unit, links: Sequence[Link], wrong: str, lines: Markup) -> Markup:
    height, width, channels = unit.shape
    bits = "1 bit" if unit.bits == 1 else f"{unit.bits} bits"
    shape = tag("span", f"{height} × {width} × {channels}, {bits}", class_="shape")
    words = "; ".join(stream_text(link) for link in links)
    stream = tag("div", words, class_="stream", title=words)
    layer, share = unit.layer, unit.cycles / network.slowest
    if layer is None:
        card = tag("div", tag("div", tag("b", unit.name), shape, class_="what"), class_="card end")
        return tag("li", lines, stream, card)
    slow = unit.cycles == network.slowest
    name = layer.origin or unit.name
    label = tag("span", tag("b", name), " ", layer.kernel.replace("_", " "), class_="name")
    differs = bool(wrong) and wrong in (unit.name, *(one.name for one in unit.before))
    told = f"{unit.cycles:,} cycles" + (", slowest" if slow else "")
    told += ", differs first" if differs else ""
    time = tag("span", told, bar(share, "slow" if slow else ""), class_="time")
    folding = tag("span", f"PE {layer.pe}, SIMD {layer.simd}", class_="name")
    card = tag(
        "div",
        tag("div", label, shape, class_="what"),
        tag("div", folding, time, class_="about"),
        class_="card bad" if differs else "card slow" if slow else "card",
        title=f"{name} ({unit.name})",
    )
    return tag("li", lines, stream, card)


def _tracks(links: Sequence[Link]) -> dict[Link, int]:
    """The column of every link: 0 between neighbours, else the first that is free all the way."""
    tracks: dict[Link, int] = {}
    taken: list[int] = []  # for each column, the row until which it is taken
    for link in sorted(links, key=lambda one: (one.first, one.last)):
        if link.last == link.first + 1 and link not in tracks:
            tracks[link] = 0
            continue
        free = next((n for n, end in enumerate(taken) if end <= link.first), len(taken))
        taken[free : free + 1] = [link.last]
        tracks[link] = free + 1
    return tracks


def _lines(place: int, slow: bool, tracks: dict[Link, int]) -> Iterator[Markup]:
    """The parts of all links that run through a row, and its dot: rows may be parted in print."""
    for link, track in tracks.items():
        x = LEFT + TRACK * track
        if link.first < place < link.last:
            yield tag("path", d=f"M{x} 0V{ROW}")
        elif place == link.first:
            bend = f"C{x} {DOT} {x} {DOT + 4} {x} {DOT + BEND}" if track else ""
            yield tag("path", d=f"M{LEFT} {DOT}{bend}V{ROW}")
        elif place == link.last:
            bend = f"V{DOT - BEND}C{x} {DOT - 4} {x} {DOT} {LEFT} {DOT}" if track else f"V{DOT}"
            yield tag("path", d=f"M{x} 0{bend}")
    yield tag("circle", cx=LEFT, cy=DOT, r=5, class_="slow" if slow else None)
