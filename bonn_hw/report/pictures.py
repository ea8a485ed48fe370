# SPDX-License-Identifier: BSD-3-Clause
"""Pictures: the resources of a design's layers, and resources against frame rate of a front.

Matplotlib is imported only when a picture is drawn.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bonn_hw import files
from bonn_hw.boards import board
from bonn_hw.ir.kernel import Passthrough
from bonn_hw.ir.target import Board
from bonn_hw.kernels import kernels
from bonn_hw.report import plot_style
from bonn_hw.report.figures import Amount, PerResource
from bonn_hw.report.plot_style import BLUE, ORANGE
from bonn_hw.report.values import Front, LayerReport, Point, Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BETWEEN = frozenset(stem for stem, kind in kernels().items() if issubclass(kind, Passthrough))
"""Kernels that share the row of the layer behind them."""
TITLES = {"lut": "LUT", "bram36": "BRAM36", "dsp": "DSP"}
UNITS = {"lut": "LUT", "bram36": "BRAM of 36 kbit", "dsp": "DSP slices"}
TALL = 30
"""With at least as many rows, the panels have scales at the top, too."""
LABEL_PAD = 8
"""Points between labels and bars."""

LIGHT_BLUE, LIGHT_ORANGE, LIGHT_GREY, BAND = "#8CC4E6", "#F3B58A", "#B4B4B4", "#F4F4F4"
STYLE = plot_style.STYLE | {"figure.constrained_layout.w_pad": 0.08, "lines.markersize": 4}


def draw_layers(report: Report, folder: Path) -> list[Path]:
    """Draw the cycles and the resources of every layer: ``layers.png`` and ``layers.svg``.

    Parameters
    ----------
    report
        The report of a design; its layers are in dataflow order.
    folder
        Output folder; it is created if needed.

    Returns
    -------
    list[Path]
        The files written. The SVG is reproducible byte for byte.

    Raises
    ------
    UserError
        If a file cannot be written.
    """
    return _write("layers", folder, lambda: _layers(report))


def draw_front(front: Front, folder: Path, device: Board | None = None) -> list[Path]:
    """Draw the resources of designs against their frame rates: ``front.png`` and ``front.svg``.

    Parameters
    ----------
    front
        At least one design, in any order.
    folder
        Output folder; it is created if needed.
    device
        The board; None: look it up by its name.

    Returns
    -------
    list[Path]
        The files written. The SVG is reproducible byte for byte.

    Raises
    ------
    UserError
        If a file cannot be written.
    """
    return _write("front", folder, lambda: _front(front, device))


def _write(name: str, folder: Path, draw: Callable[[], Figure]) -> list[Path]:
    import matplotlib.style

    payloads = {}
    # Start from Matplotlib's defaults, so that a user's own style has no effect.
    with matplotlib.style.context(["default", STYLE]):
        # A Figure without pyplot is drawn by Agg and needs no display.
        figure = draw()
        for suffix, metadata in (("png", None), ("svg", {"Date": None})):
            stream = io.BytesIO()
            figure.savefig(stream, format=suffix, metadata=metadata)
            payloads[folder / f"{name}.{suffix}"] = stream.getvalue()
    for path, payload in payloads.items():
        with files.fresh_file(path) as partial:
            partial.write_bytes(payload)
    return list(payloads)


def _drawn(amounts: Iterable[PerResource[float]]) -> list[str]:
    """The resources that are drawn; DSP slices only if a design has any."""
    return ["lut", "bram36", *(["dsp"] if any(one.dsp for one in amounts) else [])]


@dataclass(frozen=True)
class _Row:
    """A layer and the converters and FIFOs before it."""

    layer: LayerReport
    before: tuple[LayerReport, ...]

    @property
    def folding(self) -> str:
        return f"{self.layer.pe} × {self.layer.simd}"

    @property
    def cycles(self) -> tuple[int, int]:
        """Cycles per frame of the layer, and of the slowest stage of the row."""
        own, *others = (s.cycles.predicted for s in (self.layer, *self.before))
        return own, max((own, *others))

    def amounts(self, resource: str) -> tuple[float, float]:
        """Amount of the layer alone, and of all stages of the row."""
        own, *others = (s.resources.named[resource] for s in (self.layer, *self.before))
        return own, own + sum(others)


def _rows(layers: Sequence[LayerReport]) -> list[_Row]:
    rows: list[_Row] = []
    before: list[LayerReport] = []
    for layer in layers:
        if layer.kernel in BETWEEN:
            before.append(layer)
        else:
            rows.append(_Row(layer, tuple(before)))
            before = []
    # Kernels behind the last layer get rows of their own.
    return rows + [_Row(layer, ()) for layer in before]


def _layers(report: Report) -> Figure:
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    rows, target = _rows(report.layers), report.target
    drawn = _drawn(layer.resources for layer in report.layers)
    figure = Figure(figsize=(7.4 + 2 * len(drawn), 1.6 + 0.19 * len(rows)))
    widths = (3.2, *([2] * len(drawn)))
    panels = figure.subplots(1, 1 + len(drawn), sharey=True, width_ratios=widths)
    tall = len(rows) >= TALL
    above = 18 if tall else 5  # points, over the labels of the scale there

    cycles, *others = panels
    rate = _rate(target.clock_mhz * 1e6 / report.cycles_per_frame.predicted)
    _cycles(cycles, rows, report.cycles_per_frame.predicted, rate, above)
    for axes, resource in zip(others, drawn, strict=True):
        _bars(axes, [row.amounts(resource) for row in rows], [(BLUE, LIGHT_BLUE)] * len(rows))
        _totals(axes, report.resources.named[resource], resource, above)
    for axes in panels:
        axes.tick_params(axis="x", top=tall, labeltop=tall)
    _names(cycles, rows, above)

    handles = [Patch(color=ORANGE, label="slowest"), Patch(color=BLUE, label="layer")]
    if any(row.before for row in rows):
        handles.append(Patch(color=LIGHT_BLUE, label="width converters and FIFOs before it"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    asked = "" if target.fps is None else f", {_rate(target.fps)} asked for"
    place = f"{target.board} ({target.part}) at {target.clock_mhz:g} MHz"
    figure.suptitle(f"{place}: {rate} frames/s{asked}")
    return figure


def _cycles(axes: Axes, rows: Sequence[_Row], interval: int, rate: str, above: float) -> None:
    """Draw the cycles of each row, and the initiation interval of the design."""
    slowest = max(most for _, most in (row.cycles for row in rows))
    tones = [
        (ORANGE, LIGHT_ORANGE) if row.cycles[1] == slowest else (BLUE, LIGHT_BLUE) for row in rows
    ]
    _bars(axes, [row.cycles for row in rows], tones)
    axes.set_xlim(0, 1.02 * max(slowest, interval))
    axes.set_xlabel("cycles per frame, each stage alone")
    axes.axvline(interval, color="black", linewidth=1, linestyle="--")
    axes.annotate(
        f"{interval:,} cycles: {rate} frames/s",
        (interval, 1),
        (0, above),
        xycoords=axes.get_xaxis_transform(),
        textcoords="offset points",
        ha="right",
        fontsize=10,
    )


def _totals(axes: Axes, total: Amount, resource: str, above: float) -> None:
    used, holds = total.predicted, total.available
    amount = round(used, 1 if resource == "bram36" else None)
    axes.set_title(f"{used / holds:,.1%} of the board's {TITLES[resource]}", pad=above)
    axes.set_xlabel(f"{UNITS[resource]}: {amount:,.10g} of {holds:,.10g}")


def _bars(
    axes: Axes, values: Sequence[tuple[float, float]], tones: Sequence[tuple[str, str]]
) -> None:
    """Draw a bar per row: the layer's own amount and, in a lighter tone, the rest."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    for place in range(1, len(values), 2):
        axes.axhspan(place - 0.5, place + 0.5, color=BAND, linewidth=0, zorder=0)
    bars = []
    for place, ((own, whole), (tone, light)) in enumerate(zip(values, tones, strict=True)):
        bars += [(place, 0, own, tone), (place, own, whole - own, light)]
    if visible := [bar for bar in bars if bar[2] > 0]:
        places, starts, widths, colours = zip(*visible, strict=True)
        axes.barh(places, widths, left=starts, height=0.7, color=colours, zorder=2)
    # At least two: a scale of hundredths of a block memory is not useful.
    axes.set_xlim(0, 1.05 * max(2, *(whole for _, whole in values)))
    axes.set_ylim(len(values) - 0.5, -0.5)  # dataflow goes downwards
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0, pad=LABEL_PAD)


def _names(axes: Axes, rows: Sequence[_Row], above: float) -> None:
    """Write two columns left of the rows: stage, PE × SIMD."""
    foldings = [row.folding for row in rows]
    axes.set_yticks(range(len(rows)), foldings)
    left = -LABEL_PAD - 12 - 4.9 * max(len(text) for text in (*foldings, "PE × SIMD"))  # points

    def write(text: str, x: float, place: tuple[float, float], coords: Any, va: str) -> None:
        axes.annotate(
            text,
            place,
            (x, above if va == "bottom" else 0),
            xycoords=coords,
            textcoords="offset points",
            ha="right",
            va=va,
            fontsize=8,
            parse_math=False,
            annotation_clip=False,
        )

    for place, row in enumerate(rows):
        write(row.layer.name, left, (0, place), axes.get_yaxis_transform(), "center_baseline")
    write("PE × SIMD", -LABEL_PAD, (0, 1), "axes fraction", "bottom")
    write("stage", left, (0, 1), "axes fraction", "bottom")


def _rate(rate: float) -> str:
    """Format a frame rate: 12,345 or, below 1000, with four digits, such as 0.1235."""
    return f"{rate:,.0f}" if rate >= 1000 else f"{rate:.4g}"


def _front(front: Front, device: Board | None = None) -> Figure:
    from matplotlib.figure import Figure

    target = front.target
    points = sorted(front.front, key=lambda point: point.frames_per_second)
    device, asked = device or board(target.board), target.fps
    drawn = _drawn(point.resources for point in points)
    heights = [2.6, *([1.7] * (len(drawn) - 1))]
    figure = Figure(figsize=(8, 1.6 + sum(heights)))
    column = figure.subplots(len(drawn), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    _rate_axis(column[-1], [point.frames_per_second for point in points], asked)
    for axes, resource in zip(column, drawn, strict=True):
        _steps(axes, points, resource, device)
        if asked is not None:
            axes.axvline(
                asked,
                color="black",
                linewidth=1,
                linestyle=":",
                label=f"{_rate(asked)} frames/s asked for",
            )
    figure.align_ylabels()
    key: dict[str, Any] = {}
    for axes in column:
        handles, labels = axes.get_legend_handles_labels()
        key.update(zip(labels, handles, strict=True))
    figure.legend(list(key.values()), list(key), loc="outside lower center", ncols=len(key))
    fitting = [point.frames_per_second for point in points if point.fits]
    fastest = f"the fastest that fits: {_rate(fitting[-1])} frames/s" if fitting else "none fits"
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
