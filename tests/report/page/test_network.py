# SPDX-License-Identifier: BSD-3-Clause
"""The picture's units and links, and lines that do not cross a row that they skip."""

import re

from bonn_hw.report.page import network as drawn
from bonn_hw.report.page.markup import joined, tag
from bonn_hw.report.page.network import Link, Network, Queue, Unit
from bonn_hw.report.page.picture import LEFT, TRACK, picture, stream_text
from tests.support.pages import Page
from tests.support.reports import report, stage


def unit(name, cycles=100):
    return Unit(name, (4, 4, 2), 1, stage(name, cycles=cycles))


def test_a_stream_in_words():
    link = Link(0, 1, 8, (3, 1), (Queue(512, 311), Queue(2, None)))
    assert stream_text(link) == "24 bits (3 × 8) → 8 bits (1 × 8), FIFO 512 (311 used), FIFO 2"
    assert stream_text(Link(0, 1, 1, (1,), ())) == "1 bit (1 × 1)"


def test_skips_have_columns_of_their_own():
    units = (Unit("input", (4, 4, 2), 1), *(unit(name) for name in "abcd"), unit("e", 700))
    chain = [Link(place, place + 1, 1, (1,), ()) for place in range(5)]
    skips = [Link(1, 4, 1, (1,), ()), Link(2, 5, 1, (1,), ()), Link(4, 5, 4, (1,), ())]
    rows = Page(picture(Network(units, (*chain, *skips[:2])))).found
    assert [one["class"] for tag, one in rows if tag == "circle" and "class" in one] == ["slow"]
    paths = [one["d"] for tag, one in rows if tag == "path"]
    # Each link leaves a row and enters one; the skips pass two rows each, in their own columns.
    assert len(paths) == 2 * 7 + 2 + 2
    passing = [path for path in paths if re.fullmatch(r"M\d+ 0V84", path)]
    first, second = (f"M{LEFT + column * TRACK} 0V84" for column in (1, 2))
    assert sorted(passing) == [first] * 2 + [second] * 2
    # Two streams between the same neighbours are two lines.
    both = [tag for tag, _ in Page(picture(Network(units, (*chain, skips[2])))).found]
    assert both.count("path") == 12


def test_converters_and_fifos_belong_to_the_unit_behind_them():
    before = (stage("fifo_0", "fifo", 3000, lut=7.0), stage("width_converter_0", cycles=5))
    one = Unit("a", (1, 1, 1), 1, stage("a", cycles=100, lut=10.0), before)
    assert one.cycles == 3000 and one.amount("lut") == 117.0
    assert Network((one, unit("b", 200)), ()).slowest == 3000
    assert drawn.Unit("output", (1, 1, 1), 1).cycles == 0
    assert report([stage("a")]).layers[0].name == "a"


def test_markup():
    inner = tag("b", "<&>", title='"\n')
    assert inner == '<b title="&quot;\n">&lt;&amp;&gt;</b>'
    assert tag("p", None, [inner, "x"], class_="k", hidden=True, id=None) == (
        f'<p class="k" hidden>{inner}x</p>'
    )
    assert tag("meta", name_="a", http_equiv="b") == '<meta name="a" http-equiv="b">'
    assert joined("<", inner) == f"&lt;{inner}"
