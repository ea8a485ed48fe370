# SPDX-License-Identifier: BSD-3-Clause
"""Run folder -> figures of the training, after those of Gu et al., ICCV 2019 (fig. 3 to 6)."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bonn_hw.errors import UserError
from bonn_hw.nn.figures import drawings
from bonn_hw.nn.figures.run_reader import TrainingRun
from bonn_hw.nn.training.run_files import write_atomically

# Matplotlib is imported where a figure is drawn: reading and checking runs does not need it.
if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = "figures"
PAPER_LAYERS = (2, 8, 14)
LONGEST_LABEL = 28


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
        Which 1-bit layers are shown one by one, counted from 1. In the default, the paper's
        layers, numbers above the last layer mean the last one; any other number must exist.

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
    # If both run folders have the same name, the labels show their parent folders too.
    parts = 2 if against is not None and run.resolve().name == against.resolve().name else 1
    ours, other = TrainingRun.load(run, _label(run, parts)), None
    if against is not None:
        other = TrainingRun.load(against, _label(against, parts))
        _check_same_layers(run, ours, against, other)
    shown = _chosen(run, ours, layers)

    import matplotlib.style

    files = {}
    # Start from Matplotlib's defaults, so that the user's own style changes nothing.
    with matplotlib.style.context(["default", drawings.STYLE]):
        for name, draw in _figures(ours, other, shown).items():
            figure = draw()
            for suffix in ("png", "svg"):
                files[out / f"{name}.{suffix}"] = _rendered(figure, suffix)
    for path, payload in files.items():
        write_atomically(path, payload)
    return list(files)


def _figures(
    ours: TrainingRun, other: TrainingRun | None, shown: list[int]
) -> dict[str, Callable[[], Figure]]:
    """File name -> the function that draws it, for every figure that the runs have data for."""
    figures: dict[str, Callable[[], Figure]] = {
        "kernels_over_epochs": lambda: drawings.kernels_over_epochs(ours, shown)
    }
    if other is not None:
        figures["kernels_against"] = lambda: drawings.kernels_against(ours, other, shown)
    figures["mean_abs"] = lambda: drawings.mean_abs(ours)
    figures["accuracy"] = lambda: drawings.accuracy(ours, other)
    if any(np.any(ours.values("pull", layer) > 0) for layer in ours.layers):
        figures["pull"] = lambda: drawings.pull(ours)
    return figures


def _check_same_layers(run: Path, ours: TrainingRun, against: Path, other: TrainingRun) -> None:
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


def _chosen(run: Path, ours: TrainingRun, layers: Sequence[int]) -> list[int]:
    """The indices, from 0, of the layers to show."""
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
    """The last `parts` names of a path, shortened in the middle: runs differ at the end."""
    # A name may contain bytes that are not text; a dollar sign would start a formula.
    name = os.fsencode("/".join(folder.resolve().parts[-parts:])).decode(errors="replace")
    if len(name) > LONGEST_LABEL:
        name = f"{name[: LONGEST_LABEL // 2 - 1]}…{name[-LONGEST_LABEL // 2 :]}"
    return name.replace("$", r"\$")


def _rendered(figure: Figure, suffix: str) -> bytes:
    stream = io.BytesIO()
    # A bare Figure, without pyplot, is drawn by Agg and needs no display.
    figure.savefig(stream, format=suffix, metadata={"Date": None} if suffix == "svg" else None)
    return stream.getvalue()
