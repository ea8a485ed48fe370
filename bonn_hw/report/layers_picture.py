# SPDX-License-Identifier: BSD-3-Clause
"""The picture of a design: cycles and resources of every layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bonn_hw.ir.kernel import Passthrough
from bonn_hw.kernels import kernels
from bonn_hw.report.figures import Amount
from bonn_hw.report.picture_labels import TITLES, UNITS, drawn, formatted_rate
from bonn_hw.report.plot_style import BLUE, ORANGE
from bonn_hw.report.values import LayerReport, Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BETWEEN = frozenset(stem for stem, kind in kernels().items() if issubclass(kind, Passthrough))
"""Kernels that share the row of the layer behind them."""
TALL = 30
"""With at least as many rows, the panels have scales at the top, too."""
LABEL_PAD = 8
"""Points between labels and bars."""

LIGHT_BLUE, LIGHT_ORANGE, BAND = "#8CC4E6", "#F3B58A", "#F4F4F4"


def layers_figure(report: Report) -> Figure:
    """Draw a row for each layer, in dataflow order; its converters and FIFOs share it."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    rows, target = _rows(report.layers), report.target
    shown = drawn(layer.resources for layer in report.layers)
    figure = Figure(figsize=(7.4 + 2 * len(shown), 1.6 + 0.19 * len(rows)))
    widths = (3.2, *([2] * len(shown)))
    panels = figure.subplots(1, 1 + len(shown), sharey=True, width_ratios=widths)
    tall = len(rows) >= TALL
    above = 18 if tall else 5  # points, over the labels of the scale there

    cycles, *others = panels
    rate = formatted_rate(target.clock_mhz * 1e6 / report.cycles_per_frame.predicted)
    _cycles(cycles, rows, report.cycles_per_frame.predicted, rate, above)
    for axes, resource in zip(others, shown, strict=True):
        _bars(axes, [row.amounts(resource) for row in rows], [(BLUE, LIGHT_BLUE)] * len(rows))
        _totals(axes, report.resources.named[resource], resource, above)
    for axes in panels:
        axes.tick_params(axis="x", top=tall, labeltop=tall)
    _names(cycles, rows, above)

    handles = [Patch(color=ORANGE, label="slowest"), Patch(color=BLUE, label="layer")]
    if any(row.before for row in rows):
        handles.append(Patch(color=LIGHT_BLUE, label="width converters and FIFOs before it"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    asked = "" if target.fps is None else f", {formatted_rate(target.fps)} asked for"
    place = f"{target.board} ({target.part}) at {target.clock_mhz:g} MHz"
    figure.suptitle(f"{place}: {rate} frames/s{asked}")
    return figure


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
