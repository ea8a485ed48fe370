# SPDX-License-Identifier: BSD-3-Clause
"""Run folder -> figures of the training, after those of Gu et al., ICCV 2019 (fig. 3 to 6)."""

import io
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bonn_hw.errors import UserError
from bonn_hw.nn.files import METRICS, write_atomically
from bonn_hw.nn.kernel_statistics import KERNELS

# Matplotlib is imported where a figure is made: reading and refusing runs needs none.
if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FOLDER = "figures"
PAPER_LAYERS = (2, 8, 14)
COLUMNS = 6
SPAN = 3.5
"""Kernels are drawn from -SPAN to SPAN times their mean |X|, so that modes stand at -1 and 1."""
MOST_NAMES = 20
LONGEST_LABEL = 28

# Okabe and Ito's colours, and viridis for depth, are told apart with any colour vision.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#767676"
STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "figure.constrained_layout.use": True,
    "figure.dpi": 150,
    "figure.titlesize": 11,
    "font.size": 9,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "image.cmap": "viridis",
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "lines.markersize": 3,
    "savefig.dpi": 150,
    # Identifiers in an SVG are drawn from this instead of at random.
    "svg.hashsalt": "bonn-hw",
    "xtick.color": GREY,
    "xtick.labelcolor": "black",
    "xtick.labelsize": 8,
    "ytick.color": GREY,
    "ytick.labelcolor": "black",
    "ytick.labelsize": 8,
}


@dataclass(frozen=True)
class Run:
    """What the figures need of a run folder.

    Attributes
    ----------
    label
        For titles and legends.
    layers
        Names of the 1-bit layers, in the network's order.
    kernels
        Statistics by epoch, ``{"epoch": int, "layers": {name: statistics}}``; the first before
        training.
    metrics
        Loss and accuracies by epoch; the first after one epoch.
    """

    label: str
    layers: tuple[str, ...]
    kernels: tuple[dict, ...]
    metrics: tuple[dict, ...]

    @classmethod
    def load(cls, folder: Path, label: str) -> "Run":
        """Read a run folder, to be called `label`.

        Raises
        ------
        UserError
            If it is none, comes from an older version, is damaged or has nothing to draw.
        """
        if not folder.is_dir():
            raise UserError(
                f"{folder}: no such run folder; train first with "
                f"`bonn-hw train FLOW.toml --out {folder}`"
            )
        if not (folder / METRICS).is_file():
            raise UserError(
                f"{folder}: not a run folder, it has no {METRICS}; name a folder that was given "
                "to `bonn-hw train --out`"
            )
        if not (folder / KERNELS).is_file():
            raise UserError(
                f"{folder}: has no {KERNELS}, so it was trained by an older version; train again, "
                "into a new folder"
            )
        metrics = _epochs(folder / METRICS, ("epoch", "train_accuracy", "test_accuracy"))
        kernels = _epochs(folder / KERNELS, ("epoch", "layers"))
        layers = tuple(kernels[0]["layers"]) if kernels else ()
        if kernels and not layers:
            raise UserError(
                f"{folder}: its network has no 1-bit layers, so there are no kernels to draw; "
                "plot a run whose network has some"
            )
        if not metrics or not kernels:
            raise UserError(
                f"{folder}: no epoch is finished, so there is nothing to draw; go on with "
                f"`bonn-hw train FLOW.toml --out {folder} --resume`"
            )
        _check_statistics(folder / KERNELS, layers, kernels)
        return cls(label, layers, kernels, metrics)

    def values(self, name: str, layer: str) -> np.ndarray:
        """Return one statistic of a layer over the epochs, NaN where it has none."""
        found = [epoch["layers"][layer].get(name) for epoch in self.kernels]
        return np.array([np.nan if v is None else v for v in found], float)


def plot(
    run: Path,
    out: Path | None = None,
    against: Path | None = None,
    layers: Sequence[int] = PAPER_LAYERS,
) -> list[Path]:
    """Draw a run's figures, each as PNG and SVG; the SVGs are the same bytes each time.

    Parameters
    ----------
    run
        The run folder.
    out
        Where the files go; by default the folder ``figures`` of `run`.
    against
        A run of the same network to compare with.
    layers
        Which 1-bit layers are shown one by one, counted from 1. The default, those of the paper,
        is fitted to networks with fewer; any other number must exist.

    Returns
    -------
    list[Path]
        The files written.

    Raises
    ------
    UserError
        If a run, a layer number or the place to write is wrong; nothing is drawn then.
    """
    run, against = Path(run), None if against is None else Path(against)
    out = run / FOLDER if out is None else Path(out)
    # Runs of one name, in two folders, are told apart by these.
    parts = 2 if against is not None and run.resolve().name == against.resolve().name else 1
    ours, other = Run.load(run, _label(run, parts)), None
    if against is not None:
        other = Run.load(against, _label(against, parts))
        _check_same_layers(run, ours, against, other)
    shown = _chosen(run, ours, layers)

    drawings: dict[str, Callable[[], Figure]] = {
        "kernels_over_epochs": lambda: _kernels_over_epochs(ours, shown)
    }
    if other is not None:
        drawings["kernels_against"] = lambda: _kernels_against(ours, other, shown)
    drawings["mean_abs"] = lambda: _mean_abs(ours)
    drawings["accuracy"] = lambda: _accuracy(ours, other)
    if any(np.any(ours.values("pull", layer) > 0) for layer in ours.layers):
        drawings["pull"] = lambda: _pull(ours)

    import matplotlib.style

    files = {}
    # From Matplotlib's defaults, so that a user's own style changes nothing.
    with matplotlib.style.context(["default", STYLE]):
        for name, draw in drawings.items():
            figure = draw()
            for suffix in ("png", "svg"):
                files[out / f"{name}.{suffix}"] = _rendered(figure, suffix)
    for path, payload in files.items():
        write_atomically(path, payload)
    return list(files)


def _epochs(path: Path, keys: tuple[str, ...]) -> tuple[dict, ...]:
    try:
        epochs = json.loads(path.read_text())["epochs"]
        for epoch in epochs:
            for key in keys:
                epoch[key]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, error) from error
    return tuple(epochs)


def _check_statistics(path: Path, layers: tuple[str, ...], kernels: tuple[dict, ...]) -> None:
    try:
        for epoch in kernels:
            if tuple(epoch["layers"]) != layers:
                raise ValueError(f"epoch {epoch['epoch']} has other layers than the first")
            for layer in layers:
                for key in ("limit", "counts", "mean_abs", "bimodality"):
                    epoch["layers"][layer][key]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> UserError:
    reason = f"{error} is missing" if isinstance(error, KeyError) else error
    return UserError(
        f"{path}: not as training writes it ({reason}); it was cut short or edited: train again, "
        "into a new folder"
    )


def _check_same_layers(run: Path, ours: Run, against: Path, other: Run) -> None:
    if ours.layers == other.layers:
        return
    if len(ours.layers) != len(other.layers):
        difference = f"{len(other.layers)} instead of {len(ours.layers)}"
    else:
        pairs = zip(ours.layers, other.layers, strict=True)
        n, (mine, theirs) = next((n, p) for n, p in enumerate(pairs, 1) if p[0] != p[1])
        difference = f"number {n} is {theirs} instead of {mine}"
    raise UserError(
        f"--against {against}: its 1-bit layers are not those of {run} ({difference}); compare "
        "runs of one network"
    )


def _chosen(run: Path, ours: Run, layers: Sequence[int]) -> list[int]:
    """Return the indices, from 0, of the layers to show."""
    count = len(ours.layers)
    if tuple(layers) == PAPER_LAYERS:
        layers = [min(n, count) for n in layers]
    wrong = [n for n in layers if not 1 <= n <= count]
    if wrong or not layers:
        raise UserError(
            f"--layers {','.join(map(str, layers))}: {run} has 1-bit layers 1 to {count}, "
            f"not {', '.join(map(str, wrong)) or 'none'}; name some of these"
        )
    return [n - 1 for n in dict.fromkeys(layers)]


def _label(folder: Path, parts: int) -> str:
    """Return the last `parts` names of a path, shortened in the middle: runs differ at the end."""
    # Names may hold bytes that are no text, and a dollar sign, which begins a formula.
    name = os.fsencode("/".join(folder.resolve().parts[-parts:])).decode(errors="replace")
    if len(name) > LONGEST_LABEL:
        name = f"{name[: LONGEST_LABEL // 2 - 1]}…{name[-LONGEST_LABEL // 2 :]}"
    return name.replace("$", r"\$")


def _rendered(figure: "Figure", suffix: str) -> bytes:
    stream = io.BytesIO()
    # A bare Figure, without pyplot, is drawn by Agg and needs no display.
    figure.savefig(stream, format=suffix, metadata={"Date": None} if suffix == "svg" else None)
    return stream.getvalue()


def _kernels_over_epochs(run: Run, shown: list[int]) -> "Figure":
    from matplotlib.figure import Figure

    count = len(run.kernels)
    columns = np.unique(np.linspace(0, count - 1, min(COLUMNS, count)).round().astype(int))
    figure = Figure(figsize=(max(7.0, 1.5 + 1.5 * len(columns)), 1.1 + 1.6 * len(shown)))
    grid = figure.subplots(len(shown), len(columns), sharex=True, sharey=True, squeeze=False)
    for row, index in zip(grid, shown, strict=True):
        name = run.layers[index]
        for axes, column in zip(row, columns, strict=True):
            found = run.kernels[column]["layers"][name]
            _histogram(axes, found, BLUE)
            _panel(axes, top=1.45)
            text = f"b {_two(found['bimodality'])}\nm {found['mean_abs']:#.2g}"
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


def _kernels_against(ours: Run, other: Run, shown: list[int]) -> "Figure":
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
    mine, theirs = (_two(_median_of("bimodality", run, -1, shown)) for run in (ours, other))
    figure.suptitle(f"Latent kernels at the end: median bimodality {mine} against {theirs}")
    figure.legend(handles, [ours.label, other.label], loc="outside lower center", ncols=2)
    return figure


def _histogram(axes: "Axes", statistics: dict, colour: str, fill: bool = True) -> object:
    """Draw a histogram, its peak at 1 and the modes -mean |X| and mean |X| at -1 and 1."""
    counts = np.array(statistics["counts"], float)
    # All weights 0: any unit will do.
    limit = statistics["limit"] / (statistics["mean_abs"] or 1.0) or SPAN
    edges = np.linspace(-limit, limit, len(counts) + 1)
    heights = counts / counts.max()
    if fill:
        return axes.stairs(heights, edges, fill=True, color=colour, alpha=0.75)
    return axes.stairs(heights, edges, color=colour, linewidth=1.4)


def _panel(axes: "Axes", top: float) -> None:
    axes.set_xlim(-SPAN, SPAN)
    axes.set_ylim(0, top)
    axes.set_xticks([-2, -1, 0, 1, 2])
    axes.set_yticks([0, 1])


def _mean_abs(run: Run) -> "Figure":
    figure, axes = _by_depth(run, "mean_abs")
    axes.set_ylim(0, None)
    axes.set_ylabel("mean |X| (units of the weights)")
    start, end = (_median_of("mean_abs", run, i, range(len(run.layers))) for i in (0, -1))
    figure.suptitle(f"{run.label}: mean |X| goes {start:#.2g} → {end:#.2g} in the median layer")
    return figure


def _pull(run: Run) -> "Figure":
    figure, axes = _by_depth(run, "pull")
    # Lines are not clipped to the axes, so a pull of 0 must be a gap.
    axes.set_yscale("log", nonpositive="mask")
    axes.set_ylabel("pull λν/σ² (mean of the filters, 1/step)")
    medians = [_median_of("pull", run, i, range(len(run.layers))) for i in range(len(run.kernels))]
    # Before training, a layer may have none yet.
    held = [m for m in medians if m > 0] or [np.nan]
    figure.suptitle(
        f"{run.label}: the prior's pull goes {held[0]:.1e} → {held[-1]:.1e} in the median layer"
    )
    return figure


def _by_depth(run: Run, name: str) -> tuple["Figure", "Axes"]:
    """Draw a line for each layer, its colour and its place in the key by depth."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm, ListedColormap
    from matplotlib.figure import Figure

    count = len(run.layers)
    # Not to the end of the map: its yellow is too light for a line on white.
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


def _accuracy(ours: Run, other: Run | None) -> "Figure":
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    figure = Figure(figsize=(7.5, 4.2))
    axes = figure.subplots()
    runs = {BLUE: ours} if other is None else {BLUE: ours, ORANGE: other}
    handles, labels, ends, starts = [], [], [], {}
    for colour, run in runs.items():
        epochs = [row["epoch"] for row in run.metrics]
        for split, line in (("test", "-"), ("train", "--")):
            values = [row[f"{split}_accuracy"] for row in run.metrics]
            handles += axes.plot(
                epochs, values, line, color=colour, marker=_marker(epochs), clip_on=False
            )
            labels.append(f"{run.label}, {'test' if split == 'test' else 'training'}")
        ends.append(f"{run.metrics[-1]['test_accuracy']:.1%}")
        tuned = [row["epoch"] for row in run.metrics if row.get("phase") == "fine-tune"]
        if tuned and tuned[0] > epochs[0]:
            # Fine-tuning starts from what the epoch before has left.
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
    # Outside, where no curve can run behind it.
    figure.legend(handles, labels, loc="outside lower center", ncols=len(runs))
    return figure


def _epoch_axis(axes: "Axes", epochs: list[int]) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("epochs trained")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(epochs) > 1:
        axes.set_xlim(epochs[0], epochs[-1])
    else:
        axes.set_xlim(epochs[0] - 1, epochs[0] + 1)


def _marker(epochs: list[int]) -> str:
    # Few epochs show as points, and one, which makes no line, at all.
    return "o" if len(epochs) <= 30 else ""


def _median_of(name: str, run: Run, index: int, layers: Iterable[int]) -> float:
    """Return the median over the layers that have a value at one epoch, NaN where none has."""
    statistics = run.kernels[index]["layers"]
    found = [statistics[run.layers[n]].get(name) for n in layers]
    numbers = [value for value in found if value is not None]
    return float(np.median(numbers)) if numbers else np.nan


def _two(value: float | None) -> str:
    return "–" if value is None or np.isnan(value) else f"{value:.2f}"
