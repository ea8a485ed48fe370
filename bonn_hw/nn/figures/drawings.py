# SPDX-License-Identifier: BSD-3-Clause
"""The drawings of `figures`, each a function of one or two runs.

Matplotlib is imported where a figure is drawn: reading and checking runs does not need it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from bonn_hw.nn.figures.run_reader import Statistic, TrainingRun
from bonn_hw.nn.training.kernel_statistics import LayerStatistics
from bonn_hw.report import plot_style
from bonn_hw.report.plot_style import BLUE, GREY, ORANGE

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 6
SPAN = 3.5
"""Kernels are drawn from -SPAN to SPAN times their mean |X|, so that the modes are at -1 and 1."""
MOST_NAMES = 20

STYLE = plot_style.STYLE | {"image.cmap": "viridis"}  # shows depth, also to the colour-blind


def kernels_over_epochs(run: TrainingRun, shown: list[int]) -> Figure:
    """Draw histograms of the `shown` layers over the epochs (figure 3)."""
    from matplotlib.figure import Figure

    count = len(run.kernels)
    columns = np.unique(np.linspace(0, count - 1, min(COLUMNS, count)).round().astype(int))
    figure = Figure(figsize=(max(7.0, 1.5 + 1.5 * len(columns)), 1.1 + 1.6 * len(shown)))
    grid = figure.subplots(len(shown), len(columns), sharex=True, sharey=True, squeeze=False)
    for row, index in zip(grid, shown, strict=True):
        name = run.layers[index]
        for axes, column in zip(row, columns, strict=True):
            statistics = run.kernels[column]["layers"][name]
            _histogram(axes, statistics, BLUE)
            _panel(axes, top=1.45)
            text = f"b {_two(statistics['bimodality'])}\nm {statistics['mean_abs']:#.2g}"
            axes.text(0.03, 0.97, text, transform=axes.transAxes, va="top", fontsize=7.5)
        row[0].set_ylabel(f"layer {index + 1}\n{name}", fontsize=7.5)
    for axes, column in zip(grid[0], columns, strict=True):
        epoch = run.kernels[column]["epoch"]
        axes.set_title(f"epoch {epoch}" if epoch else "before training")
    start, end = (_two(_median_of("bimodality", run, i, shown)) for i in (0, -1))
    figure.suptitle(f"{run.label}: latent kernels, median bimodality {start} → {end}")
    figure.supylabel("density / its peak", fontsize=9)
    figure.supxlabel(
        "latent weight X / m,  m: mean |X| of the layer,  "
        "b: bimodality (normal 0.33, uniform 0.56, two points 1)",
        fontsize=9,
    )
    return figure


def kernels_against(ours: TrainingRun, other: TrainingRun, shown: list[int]) -> Figure:
    """Draw the final histograms of two runs over each other (figure 4)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(6.0, 0.6 + 2.6 * len(shown)), 3.6))
    row = figure.subplots(1, len(shown), sharex=True, sharey=True, squeeze=False)[0]
    for axes, index in zip(row, shown, strict=True):
        name = ours.layers[index]
        mine, theirs = (r.kernels[-1]["layers"][name] for r in (ours, other))
        handles = [_histogram(axes, mine, BLUE), _histogram(axes, theirs, ORANGE, fill=False)]
        _panel(axes, top=1.08)
        axes.set_xlabel("latent weight X / mean |X|")
        axes.set_title(
            f"{index + 1}  {name}\nbimodality {_two(mine['bimodality'])} against "
            f"{_two(theirs['bimodality'])}"
        )
    row[0].set_ylabel("density / its peak")
    medians = [_two(_median_of("bimodality", run, -1, shown)) for run in (ours, other)]
    figure.suptitle(f"Latent kernels at the end: median bimodality {' against '.join(medians)}")
    figure.legend(handles, [ours.label, other.label], loc="outside lower center", ncols=2)
    return figure


def _histogram(axes: Axes, statistics: LayerStatistics, colour: str, fill: bool = True) -> Artist:
    """Draw a histogram, its peak at 1 and the modes -mean |X| and mean |X| at -1 and 1."""
    counts = np.array(statistics["counts"], float)
    # If all weights are 0, any unit is right.
    limit = statistics["limit"] / (statistics["mean_abs"] or 1.0) or SPAN
    edges = np.linspace(-limit, limit, len(counts) + 1)
    heights = counts / counts.max()
    if fill:
        return axes.stairs(heights, edges, fill=True, color=colour, alpha=0.75)
    return axes.stairs(heights, edges, color=colour, linewidth=1.4)


def _panel(axes: Axes, top: float) -> None:
    axes.set_xlim(-SPAN, SPAN)
    axes.set_ylim(0, top)
    axes.set_xticks([-2, -1, 0, 1, 2])
    axes.set_yticks([0, 1])


def mean_abs(run: TrainingRun) -> Figure:
    """Draw mean |X| of each layer over the epochs (figure 5)."""
    figure, axes = _by_depth(run, "mean_abs")
    axes.set_ylim(0, None)
    axes.set_ylabel("mean |X| (units of the weights)")
    start, end = (_median_of("mean_abs", run, i, range(len(run.layers))) for i in (0, -1))
    figure.suptitle(f"{run.label}: mean |X| goes {start:#.2g} → {end:#.2g} in the median layer")
    return figure


def pull(run: TrainingRun) -> Figure:
    """Draw the prior's pull lambda nu / sigma^2 of each layer over the epochs."""
    figure, axes = _by_depth(run, "pull")
    # Lines are not clipped to the axes, so a pull of 0 must be a gap.
    axes.set_yscale("log", nonpositive="mask")
    axes.set_ylabel("pull λν/σ² (mean of the filters, 1/step)")
    medians = [_median_of("pull", run, i, range(len(run.layers))) for i in range(len(run.kernels))]
    # Before training, a layer may have none yet.
    pulls = [m for m in medians if m > 0] or [np.nan]
    figure.suptitle(
        f"{run.label}: the prior's pull goes {pulls[0]:.1e} → {pulls[-1]:.1e} in the median layer"
    )
    return figure


def _by_depth(run: TrainingRun, name: Statistic) -> tuple[Figure, Axes]:
    """Draw a line for each layer; its depth decides the colour and the place in the legend."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm, ListedColormap
    from matplotlib.figure import Figure

    count = len(run.layers)
    # Without the end of the map: its yellow is too light for a line on white.
    colours = colormaps["viridis"](np.linspace(0, 0.9, count))
    figure = Figure(figsize=(7.5, 4.2))
    axes = figure.subplots()
    epochs = [epoch["epoch"] for epoch in run.kernels]
    for layer, colour in zip(run.layers, colours, strict=True):
        values = run.values(name, layer)
        axes.plot(epochs, values, color=colour, marker=_marker(epochs), clip_on=False)
    _epoch_axis(axes, epochs)
    scale = ScalarMappable(BoundaryNorm(np.arange(count + 1) + 0.5, count), ListedColormap(colours))
    step = -(-count // MOST_NAMES)
    ticks = np.arange(1, count + 1, step)
    key = figure.colorbar(scale, ax=axes, ticks=ticks, aspect=30)
    key.ax.set_yticklabels([f"{n}  {run.layers[n - 1]}" for n in ticks], fontsize=7)
    key.ax.tick_params(which="both", length=0)
    key.ax.invert_yaxis()
    key.ax.set_title("1-bit layer", fontsize=8)
    return figure, axes


def accuracy(ours: TrainingRun, other: TrainingRun | None) -> Figure:
    """Draw the accuracies over the epochs (figure 6)."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    figure = Figure(figsize=(7.5, 4.2))
    axes = figure.subplots()
    runs = {BLUE: ours} if other is None else {BLUE: ours, ORANGE: other}
    handles, labels, ends = [], [], []
    starts: dict[int, list[str]] = {}
    for colour, run in runs.items():
        epochs = [row["epoch"] for row in run.metrics]
        # None, of an epoch that was not tested, becomes a gap.
        tested = np.array([row["test_accuracy"] for row in run.metrics], float)
        trained = np.array([row["train_accuracy"] for row in run.metrics], float)
        for split, line, values in (("test", "-", tested), ("training", "--", trained)):
            handles += axes.plot(
                epochs, values, line, color=colour, marker=_marker(epochs), clip_on=False
            )
            labels.append(f"{run.label}, {split}")
        ends.append(f"{run.metrics[-1]['test_accuracy']:.1%}")
        tuned = [row["epoch"] for row in run.metrics if row.get("phase") == "fine-tune"]
        if tuned and tuned[0] > epochs[0]:
            # Fine-tuning starts from the end of the epoch before.
            starts.setdefault(tuned[0] - 1, []).append(colour)
    for epoch, colours in starts.items():
        colour = GREY if len(colours) == len(runs) else colours[0]
        axes.axvline(epoch, color=colour, linestyle=":", linewidth=1.2)
        axes.annotate(
            "fine-tuning starts",
            (epoch, 0),
            (-3, 4),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            rotation=90,
            ha="right",
            fontsize=8,
            color=colour,
        )
    longest = max(runs.values(), key=lambda run: len(run.metrics))
    _epoch_axis(axes, [row["epoch"] for row in longest.metrics])
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_ylabel("accuracy (% of the images)")
    figure.suptitle(f"Test accuracy at the end: {' against '.join(ends)}")
    # Outside, so that it hides no curve.
    figure.legend(handles, labels, loc="outside lower center", ncols=len(runs))
    return figure


def _epoch_axis(axes: Axes, epochs: list[int]) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("epochs trained")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(epochs) > 1:
        axes.set_xlim(epochs[0], epochs[-1])
    else:
        axes.set_xlim(epochs[0] - 1, epochs[0] + 1)


def _marker(epochs: list[int]) -> str:
    # Few epochs are shown as points too; a single one would otherwise be invisible.
    return "o" if len(epochs) <= 30 else ""


def _median_of(name: Statistic, run: TrainingRun, index: int, layers: Iterable[int]) -> float:
    """The median over the layers that have a value at one epoch, NaN where none has."""
    statistics = run.kernels[index]["layers"]
    values = [statistics[run.layers[n]].get(name) for n in layers]
    numbers = [value for value in values if value is not None]
    return float(np.median(numbers)) if numbers else np.nan


def _two(value: float | None) -> str:
    return "–" if value is None or np.isnan(value) else f"{value:.2f}"
