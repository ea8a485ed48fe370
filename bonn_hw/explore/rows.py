# SPDX-License-Identifier: BSD-3-Clause
"""Rows of the study, of the front and of the list of what fits, and their JSON.

This module alone writes and reads the JSON of a search. Its keys are those of `report.json` where
they mean the same; figures are rounded when a row is made, so that a row equals its file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bonn_hw.errors import UserError
from bonn_hw.explore.hardware import Excluded, Figures
from bonn_hw.explore.space import Candidate
from bonn_hw.explore.stage import Trained
from bonn_hw.explore.zoo_points import ZooPoint
from bonn_hw.ir.folding import Folding

SCHEMA = 1
Json = dict[str, Any]


@dataclass(frozen=True)
class HardwareRow:
    """What a candidate takes on the target.

    Attributes
    ----------
    cost
        In LUT, block memories counted as LUT.
    cycles
        Per frame.
    latency_ms
        None before FIFOs are sized.
    """

    lut: float
    bram36: float
    dsp: float
    cost: float
    cycles: int
    frames_per_second: float
    latency_ms: float | None = None

    @classmethod
    def of(cls, figures: Figures) -> HardwareRow:
        """The figures of a folded candidate."""
        used, latency = figures.resources, figures.latency_ms
        return cls(
            round(used.lut, 1),
            used.bram36,
            used.dsp,
            round(figures.cost, 1),
            figures.cycles,
            round(figures.frames_per_second, 1),
            None if latency is None else round(latency, 6),
        )

    @classmethod
    def of_json(cls, row: Mapping[str, Any]) -> HardwareRow:
        """Read what `json` gives; other keys are not looked at."""
        return cls(**{key: row[key] for key in cls.__dataclass_fields__ if key in row})

    def json(self) -> Json:
        """For JSON; without a latency that is not known."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class ListedRow:
    """A candidate that was folded, and what it takes or which limit excludes it."""

    candidate: Candidate
    result: HardwareRow | Excluded

    def json(self) -> Json:
        """For JSON."""
        row = {"network": self.candidate.network_json}
        if isinstance(self.result, Excluded):
            return {**row, "limit": self.result.limit, "reason": self.result.reason}
        return {**row, **self.result.json()}


@dataclass(frozen=True)
class PointRow:
    """A point of the front.

    Attributes
    ----------
    point
        From 1, the cheapest first.
    candidate
        Number of its trial.
    network
        Name and options.
    held_out_accuracy, held_out_spread
        Mean and standard deviation of `held_out_accuracies`; no spread of one training.
    """

    point: int
    candidate: int
    network: Mapping[str, Any]
    held_out_accuracy: float
    held_out_accuracies: tuple[float, ...]
    held_out_spread: float | None
    hardware: HardwareRow

    @classmethod
    def of_json(cls, row: Mapping[str, Any]) -> PointRow:
        """Read what `json` gives."""
        return cls(
            row["point"],
            row["candidate"],
            row["network"],
            row["held_out_accuracy"],
            tuple(row["held_out_accuracies"]),
            row["held_out_spread"],
            HardwareRow.of_json(row),
        )

    def json(self) -> Json:
        """For JSON."""
        row = {key: getattr(self, key) for key in self.__dataclass_fields__ if key != "hardware"}
        return {
            **row,
            "held_out_accuracies": list(self.held_out_accuracies),
            **self.hardware.json(),
        }


@dataclass(frozen=True)
class Counts:
    """How many candidates were trained, did not fit, were chosen again, and failed."""

    trained: int
    excluded: int
    repeated: int
    failed: int


@dataclass(frozen=True)
class FrontRow:
    """The file of a front.

    Attributes
    ----------
    hours
        Of all workers.
    importance
        By choice: its share in what decides the accuracy.
    """

    boards: tuple[str, ...]
    clock_mhz: float
    fps: float
    sampler: str
    hypervolume: float
    hours: float
    candidates: Counts
    importance: Mapping[str, float]
    zoo: tuple[ZooPoint, ...]
    points: tuple[PointRow, ...]

    @classmethod
    def of_json(cls, document: Mapping[str, Any]) -> FrontRow:
        """Read what `json` gives."""
        own = {key: document[key] for key in cls.__dataclass_fields__}
        return cls(
            **{
                **own,
                "boards": tuple(own["boards"]),
                "candidates": Counts(**own["candidates"]),
                "zoo": tuple(ZooPoint(**one) for one in own["zoo"]),
                "points": tuple(PointRow.of_json(one) for one in own["points"]),
            }
        )

    @classmethod
    def read(cls, path: Path) -> FrontRow:
        """Read the file of a front.

        Raises
        ------
        UserError
            If it is missing, or no front of this version.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["schema"] == SCHEMA:
                return cls.of_json(document)
            reason = f"schema {document['schema']}, and this version reads {SCHEMA}"
        except OSError as error:
            reason = error.strerror or "it cannot be read"
        except (ValueError, KeyError, TypeError) as error:
            reason = f"{type(error).__name__}: {error}"
        raise UserError(
            f"{path}: no front ({reason}); the same search again writes it anew, without training"
        )

    def json(self) -> Json:
        """For JSON."""
        row = {key: getattr(self, key) for key in self.__dataclass_fields__}
        return {
            "schema": SCHEMA,
            **row,
            "boards": list(self.boards),
            "candidates": asdict(self.candidates),
            "zoo": [asdict(one) for one in self.zoo],
            "points": [one.json() for one in self.points],
        }


def stage_json(stage: Trained) -> list[float]:
    """A finished stage of training."""
    return [stage.accuracy, stage.seconds]


def stage_of_json(row: Sequence[float]) -> Trained:
    """Read what `stage_json` gives."""
    return Trained(*row)


def folding_json(foldings: Mapping[str, Folding]) -> Json:
    """Foldings by stage, as a folding file has them."""
    return {name: {"PE": one.pe, "SIMD": one.simd} for name, one in foldings.items()}


def foldings_of_json(rows: Mapping[str, Mapping[str, int]]) -> dict[str, Folding]:
    """Read what `folding_json` gives."""
    return {name: Folding(row["PE"], row["SIMD"]) for name, row in rows.items()}


def file_text(value: Any, indent: int = 2) -> str:
    """The text of a JSON file."""
    return json.dumps(value, indent=indent) + "\n"
