# SPDX-License-Identifier: BSD-3-Clause
"""The result of a search as a folder: the front, an experiment file for each point, tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bonn_hw import files
from bonn_hw.explore import page, rows
from bonn_hw.explore.front import hypervolume, pareto
from bonn_hw.explore.points import Point, Result
from bonn_hw.explore.rows import FrontRow, PointRow
from bonn_hw.explore.search import last_stage
from bonn_hw.explore.space import Space
from bonn_hw.explore.study import Record, Study
from bonn_hw.nn.own.source import keep
from bonn_hw.nn.training.run_files import EXPERIMENT

FRONT, TABLE, PAGE, POINTS = "front.json", "candidates.csv", "explore.html", "points"
FOLDING = "folding.json"


def result_of(space: Space, study: Study) -> Result:
    """The front of a study; accuracies are means over seeds where there are several."""
    records, seeded = study.records(), study.seeded()
    best = pareto(last_stage(records))
    points = [
        Point(
            one.number,
            one.candidate,
            one.hardware,
            seeded.get(one.number) or (one.accuracy,),
        )
        for one in best
    ]
    most = space.goal.cost(space.goal.budget)
    return Result(
        space,
        tuple(pareto(points)),
        hypervolume(last_stage(records), most),
        study.counts(),
        sum(one.seconds for one in records) / 3600,
        study.importance(),
    )


def write(result: Result, study: Study, folder: Path) -> None:
    """Write the front, its points, the table of all candidates and the page."""
    for place, point in enumerate(result.points, 1):
        target = folder / POINTS / str(place)
        with files.writing(target):
            target.mkdir(parents=True, exist_ok=True)
        keep(result.space.own_files, result.space.folder, target)
        _text(target / EXPERIMENT, _experiment(point, place))
        folding = rows.folding_json(study.foldings(point.number))
        _text(target / FOLDING, rows.file_text(folding, indent=1))
    _text(folder / FRONT, rows.file_text(front_row(result).json()))
    _text(folder / TABLE, _csv([_row(one) for one in study.records()]))
    _text(folder / PAGE, page.page(result, study.records(), folder.name))


def front_row(result: Result) -> FrontRow:
    """What is written of a front."""
    space = result.space
    return FrontRow(
        tuple(one.name for one in space.goal.boards),
        space.goal.clock_mhz,
        space.goal.fps,
        space.search.sampler,
        round(result.hypervolume, 6),
        round(result.hours, 4),
        result.counts,
        {name: round(share, 4) for name, share in result.importance.items()},
        result.zoo,
        tuple(
            PointRow(
                place,
                point.number,
                point.candidate.network_json,
                round(point.accuracy, 6),
                point.accuracies,
                point.spread,
                point.hardware,
            )
            for place, point in enumerate(result.points, 1)
        ),
    )


def _experiment(point: Point, place: int) -> str:
    """The experiment of a point: all training images, and the test images once, at the end."""
    training = dict(point.candidate.tables["training"])
    whole = int(training["epochs"]) + int(training.get("fine_tune_epochs", 0))
    text = point.candidate.toml(data={"held_out": 0}, training={"test_every": whole})
    said = f"# Point {place} of a front: {point.accuracy:.2%} on held-out images, "
    used = point.hardware
    said += f"{used.lut:,.0f} LUT and {used.bram36:g} BRAM36 predicted.\n"
    return f"# Written by bonn-hw explore.\n{said}\n{text}"


def _row(one: Record) -> dict[str, Any]:
    stages = " ".join(f"{stage.accuracy:.4f}" for stage in one.stages)
    told = {"candidate": one.number, "network": str(one.candidate), "stages": stages}
    return {**told, "seconds": round(one.seconds, 1), **one.hardware.json()}


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    columns = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _text(path: Path, text: str) -> None:
    with files.fresh_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
