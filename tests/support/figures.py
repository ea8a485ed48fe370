# SPDX-License-Identifier: BSD-3-Clause
"""What a figure consists of, as text (tests/report/test_figures.py).

Nothing is laid out or drawn: only what the code states, in the units in which it states it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def structure(figure) -> Iterator[str]:
    """Lines of text: sizes, texts, scales, ticks, lines and bars of all axes, in their order."""
    yield f"figure {_all(figure.get_size_inches())} inches, {figure.dpi:g} dpi"
    title = figure._suptitle
    yield f"title {title.get_text()!r} {_text(title)}"
    for legend in figure.legends:
        keys = [f"{key.get_text()} {key.get_fontsize():g}" for key in legend.get_texts()]
        yield f"legend {legend._ncols} columns, frame {legend.get_frame_on()}: {', '.join(keys)}"
    for axes in figure.axes:
        yield "axes"
        yield from (f"  {line}" for line in _axes(axes))


def _axes(axes) -> Iterator[str]:
    heading = axes.get_title(loc="left")
    if heading:
        pad = axes.titleOffsetTrans.transform((0, 0))[1] * 72 / axes.figure.dpi
        yield f"heading {heading!r} {_text(axes._left_title)}, {pad:g} points above"
    shown = [side for side, spine in axes.spines.items() if spine.get_visible()]
    yield f"edges {' '.join(shown)}"
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        yield f"{axis.axis_name} {axis.get_scale()} {_all((low, high))} {axis.get_label_text()!r}"
        for kind, places in (
            ("major", axis.get_majorticklocs()),
            ("minor", axis.get_minorticklocs()),
        ):
            inside = [place for place in places if low <= place <= high]
            names = getattr(axis, f"get_{kind}_formatter")().format_ticks(inside)
            ticks = [f"{place:g} {name!r}" for place, name in zip(inside, names, strict=True)]
            yield f"  {kind} {', '.join(ticks)}"
        told = axis.get_tick_params()
        label = axis.get_ticklabels()[:1]
        sizes = f"{label[0].get_fontsize():g} {label[0].get_color()}" if label else "none"
        grid = axis.get_gridlines()[:1] if told.get("gridOn") else ()
        lines = [f"{line.get_color()} {line.get_linewidth():g}" for line in grid]
        yield f"  labels {sizes}, {_sorted(told)}, grid {' '.join(lines) or 'none'}"
    for line in axes.lines:
        x, y = line.get_data()
        yield (
            f"line {_all(x)} | {_all(y)} {line.get_color()} {line.get_linewidth():g} "
            f"{line.get_linestyle()} {line.get_drawstyle()} marker {line.get_marker()} "
            f"{line.get_markersize():g} order {line.get_zorder():g} clip {line.get_clip_on()} "
            f"{line.get_label() if not line.get_label().startswith('_') else ''!r}"
        )
    for bar in _some(axes.patches):
        box = bar.get_x(), bar.get_y(), bar.get_width(), bar.get_height()
        colour = _all(bar.get_facecolor())
        yield f"bar {_all(box)} {colour} {bar.get_linewidth():g} order {bar.get_zorder():g}"
    for text in _some(axes.texts):
        at = f"{_all(text.xy)} + {_all(text.xyann)} points"
        yield f"text {text.get_text()!r} at {at}, {_text(text)}"


def _some(parts):
    """The first and the last of many."""
    return parts if len(parts) <= 20 else [*parts[:5], *parts[-5:]]


def _text(text) -> str:
    where = f"{text.get_horizontalalignment()} {text.get_verticalalignment()}"
    return f"size {text.get_fontsize():g} {text.get_color()} {where}"


def _all(numbers) -> str:
    return " ".join(f"{float(number):.6g}" for number in np.ravel(numbers))


def _sorted(told) -> str:
    return " ".join(f"{name}={told[name]}" for name in sorted(told) if name != "gridOn")
