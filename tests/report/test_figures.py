# SPDX-License-Identifier: BSD-3-Clause
"""Every number of the pictures: texts, scales, ticks, bars and lines, as they were looked at.

After a wanted change, look at the pictures, then ``python -m tests.report.test_figures``.
"""

from pathlib import Path

import pytest

from bonn_hw.report import front_picture, layers_picture, pictures
from tests.support.figures import structure
from tests.support.reports import front, point, report, stage

KEPT = Path(__file__).parents[1] / "data" / "figures.txt"


def layers(count):
    """Layers with all that a row can have; a block memory of each, and DSP slices of one."""
    made = []
    for place in range(count):
        if place % 7 == 2:
            made.append(stage(f"converter_{place}", "width_converter", 2900, 40.0))
        made.append(stage(f"mvu_{place}", "mvu", 500 + 97 * place, 37.5 * place, place / 2))
    return [*made, stage("last", "label_select", 1, 0.0, 0.0, 3.0 * (count > 20), 1, 10)]


SEVERAL = [point(61.0, 2400.0, 44.0), point(12207.0, 86000.0, 30.0, 7.0, False), point(3052.0)]
WIDE = [point(0.05 * 13.0**n, 1000.0 * 2**n, n / 2, fits=n < 4) for n in range(6)]
DRAWINGS = {
    "few layers": lambda: layers_picture.layers_figure(report(layers(3), 3000, None)),
    "29 rows": lambda: layers_picture.layers_figure(report(layers(28), 32768)),
    "30 rows": lambda: layers_picture.layers_figure(report(layers(29), 900)),
    "a front": lambda: front_picture.front_figure(front(SEVERAL, 3000.0)),
    "a narrow front": lambda: front_picture.front_figure(
        front([point(1200.0), point(2900.0, 9e3)])
    ),
    "a wide front": lambda: front_picture.front_figure(front(WIDE, 1e-3, "zcu104")),
    "one design": lambda: front_picture.front_figure(front(SEVERAL[1:2])),
}


def shown(name):
    """The part of the file about a drawing."""
    import matplotlib.style

    with matplotlib.style.context(["default", pictures.STYLE]):
        return "\n".join([f"= {name}", *structure(DRAWINGS[name]()), ""])


@pytest.mark.torch
@pytest.mark.parametrize("name", DRAWINGS)
def test_the_pictures_consist_of_what_was_looked_at(name):
    pytest.importorskip("matplotlib")
    kept = KEPT.read_text()
    begin = kept.index(f"= {name}\n")
    assert shown(name).splitlines() == kept[begin:].partition("\n= ")[0].splitlines()


if __name__ == "__main__":
    KEPT.write_text("".join(map(shown, DRAWINGS)))
