# SPDX-License-Identifier: BSD-3-Clause
"""The picture of a front: resources of designs against their frame rates."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import TYPE_CHECKING, Any

from bonn_hw.boards import board
from bonn_hw.ir.target import Board
from bonn_hw.report.picture_labels import UNITS, drawn, formatted_rate
from bonn_hw.report.plot_style import BLUE, ORANGE
from bonn_hw.report.values import Front, Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LIGHT_GREY = "#B4B4B4"


def front_figure(front: Front, device: Board | None = None) -> Figure:
    """Draw a panel for each resource; `device` is looked up by its name where it is None."""
    from matplotlib.figure import Figure

    target = front.target
    points = sorted(front.front, key=lambda point: point.frames_per_second)
    device, asked = device or board(target.board), target.fps
    shown = drawn(point.resources for point in points)
    heights = [2.6, *([1.7] * (len(shown) - 1))]
    figure = Figure(figsize=(8, 1.6 + sum(heights)))
    column = figure.subplots(len(shown), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    _rate_axis(column[-1], [point.frames_per_second for point in points], asked)
    for axes, resource in zip(column, shown, strict=True):
        _steps(axes, points, resource, device)
        if asked is not None:
            axes.axvline(
                asked,
                color="black",
                linewidth=1,
                linestyle=":",
                label=f"{formatted_rate(asked)} frames/s asked for",
            )
    figure.align_ylabels()
    key: dict[str, Any] = {}
    for axes in column:
        handles, labels = axes.get_legend_handles_labels()
        key.update(zip(labels, handles, strict=True))
    figure.legend(list(key.values()), list(key), loc="outside lower center", ncols=len(key))
    fitting = [point.frames_per_second for point in points if point.fits]
    fastest = (
        f"the fastest that fits: {formatted_rate(fitting[-1])} frames/s" if fitting else "none fits"
    )
    count = f"{len(points)} design{'s' if len(points) > 1 else ''}"
    place = f"{device.name} ({device.part}) at {target.clock_mhz:g} MHz"
    figure.suptitle(f"{count} for {place}, {fastest}")
    return figure


def _rate_axis(axes: Axes, rates: Sequence[float], asked: float | None) -> None:
    """Choose ticks by the range: with a log scale, designs of similar rates may have no tick."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

    shown = [*rates, *([] if asked is None else [asked])]
    axes.set_xscale("log")
    axes.set_xlim(min(shown) / 1.2, max(shown) * 1.2)
    spread = max(shown) / min(shown)
    if spread < 4:
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.minorticks_off()
    else:
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if spread < 2000 else (1,)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))
    axes.set_xlabel("frames per second of a design (log scale)")


def _steps(axes: Axes, points: Sequence[Point], resource: str, device: Board) -> None:
    """Draw the resource against the rate; between two designs, the faster one is needed."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator, StrMethodFormatter

    holds = getattr(device.holds, resource)
    used = [point.resources.named[resource] for point in points]
    rates = [point.frames_per_second for point in points]
    x, y = [axes.get_xlim()[0], *rates], [used[0], *used]
    fits = [points[0].fits, *(point.fits for point in points)]
    # Not clipped, so that a line at zero is visible on the axis.
    line: dict[str, Any] = {"drawstyle": "steps-pre", "clip_on": False, "zorder": 3}
    axes.plot(x, y, color=LIGHT_GREY, **line)
    fitting = [value if fit else nan for value, fit in zip(y, fits, strict=True)]
    axes.plot(x, fitting, color=BLUE, **line)
    for fit, colour, label in (
        (True, BLUE, f"fits {device.name}"),
        (False, LIGHT_GREY, "does not fit"),
    ):
        places = [(r, u) for r, u, p in zip(rates, used, points, strict=True) if p.fits == fit]
        if places:
            axes.plot(
                *zip(*places, strict=True), "o", color=colour, label=label, clip_on=False, zorder=4
            )
    top = 1.1 * max(*used, 1)
    if top > 2 / 3 * holds:
        top = max(top, 1.1 * holds)
        axes.axhline(holds, color=ORANGE, linewidth=1.2, linestyle="--", label="all of the board")
    axes.set_ylim(0, top)
    axes.set_ylabel(UNITS[resource])
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))
    share = axes.twinx()
    share.set_ylim(0, top / holds)
    share.grid(visible=False)
    share.spines[:].set_visible(False)
    share.spines.right.set_visible(True)
    share.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    share.yaxis.set_major_formatter(FuncFormatter(lambda s, _: f"{round(100 * s, 6):g}%"))
    share.set_ylabel("share of the board")
