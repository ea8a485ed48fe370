# SPDX-License-Identifier: BSD-3-Clause
"""The zoo's networks beside a front: the same data, folded for the target of the search."""

from __future__ import annotations

import json
from dataclasses import dataclass

from bonn_hw import files, frontend, pipeline
from bonn_hw.errors import UserError
from bonn_hw.explore.hardware import Fits, Hardware
from bonn_hw.explore.space import Space
from bonn_hw.nn.training.run_files import EXPERIMENT, METRICS


@dataclass(frozen=True)
class ZooPoint:
    """A network of the zoo that fits the target.

    Attributes
    ----------
    accuracy
        On all test images, as the zoo archives it: nothing is tested here.
    cost
        In LUT, as `Goal.cost`, FIFOs included.
    """

    name: str
    accuracy: float
    cost: float


def zoo_points(space: Space) -> tuple[ZooPoint, ...]:
    """The zoo's networks of the same data set that fit, the cheapest first; seconds for each."""
    from bonn_hw.nn.export import export  # imports torch
    from bonn_hw.nn.training.experiment import Experiment

    hardware, found = Hardware(space.goal), []
    for run in sorted(files.shipped("zoo").iterdir()):
        if not (run / EXPERIMENT).is_file():
            continue
        if Experiment.read(run / EXPERIMENT).dataset != space.tables["data"]["name"]:
            continue
        with files.scratch() as folder:
            export(run, folder / "model.onnx")
            graph = frontend.lower(pipeline.read_model(folder / "model.onnx"), None, None).graph
        try:
            planned = hardware.plan_graph(graph)
        except UserError:  # it cannot be folded for this target at all
            continue
        if isinstance(planned, Fits):
            accuracy = float(json.loads((run / METRICS).read_text())["accuracy"])
            found.append(ZooPoint(run.name, accuracy, planned.figures.cost))
    return tuple(sorted(found, key=lambda one: one.cost))
