# SPDX-License-Identifier: BSD-3-Clause
"""The result of a search as a folder: the front, an experiment file for each point, tables."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bonn_hw import files
from bonn_hw.explore import page
from bonn_hw.explore.front import hypervolume, pareto
from bonn_hw.explore.points import Point, Result
from bonn_hw.explore.search import last_stage
from bonn_hw.explore.space import Space
from bonn_hw.explore.study import Record, Study
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
            one.figures,
            tuple(seeded.get(str(one.number), ())) or (one.accuracy,),
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
        _text(target / EXPERIMENT, _experiment(point, place))
        _text(target / FOLDING, json.dumps(study.folding(point.number), indent=1) + "\n")
    rows = [_row(one) for one in study.records()]
    _text(folder / FRONT, json.dumps(document(result), indent=2) + "\n")
    _text(folder / TABLE, _csv(rows))
    _text(folder / PAGE, page.page(result, study.records(), folder.name))


def document(result: Result) -> dict[str, Any]:
    """The front for JSON."""
    space = result.space
    return {
        "schema": 1,
        "boards": [one.name for one in space.goal.boards],
        "clock_mhz": space.goal.clock_mhz,
        "fps": space.goal.fps,
        "sampler": space.search.sampler,
        "hypervolume": round(result.hypervolume, 6),
        "hours": round(result.hours, 4),
        "candidates": dict(result.counts),
        "importance": {name: round(share, 4) for name, share in result.importance.items()},
        "zoo": [asdict(one) for one in result.zoo],
        "points": [
            {
                "point": place,
                "candidate": point.number,
                "network": {"name": point.candidate.network, **point.candidate.options},
                "held_out_accuracy": round(point.accuracy, 6),
                "held_out_accuracies": list(point.accuracies),
                "held_out_spread": point.spread,
                **point.figures,
            }
            for place, point in enumerate(result.points, 1)
        ],
    }


def _experiment(point: Point, place: int) -> str:
    """The experiment of a point: all training images, and the test images once, at the end."""
    training = dict(point.candidate.tables["training"])
    whole = int(training["epochs"]) + int(training.get("fine_tune_epochs", 0))
    text = point.candidate.toml(data={"held_out": 0}, training={"test_every": whole})
    said = f"# Point {place} of a front: {point.accuracy:.2%} on held-out images, "
    said += f"{point.figures['lut']:,.0f} LUT and {point.figures['bram36']:g} BRAM36 predicted.\n"
    return f"# Written by bonn-hw explore.\n{said}\n{text}"


def _row(one: Record) -> dict[str, Any]:
    stages = " ".join(f"{accuracy:.4f}" for accuracy in one.stages)
    told = {"candidate": one.number, "network": str(one.candidate), "stages": stages}
    return {**told, "seconds": round(one.seconds, 1), **one.figures}


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
