# SPDX-License-Identifier: BSD-3-Clause
"""Rows against the JSON of files that users have: neither keys nor their order change."""

import json

import pytest

from bonn_hw.errors import UserError
from bonn_hw.explore.hardware import Excluded, Figures
from bonn_hw.explore.rows import (
    FrontRow,
    HardwareRow,
    ListedRow,
    file_text,
    folding_json,
    foldings_of_json,
    stage_json,
    stage_of_json,
)
from bonn_hw.explore.space import Candidate
from bonn_hw.ir.resources import Resources

FRONT = """{
  "schema": 1,
  "boards": [
    "pynq-z2"
  ],
  "clock_mhz": 100.0,
  "fps": 100000.0,
  "sampler": "nsga2",
  "hypervolume": 0.123457,
  "hours": 0.01,
  "candidates": {
    "trained": 2,
    "excluded": 5,
    "repeated": 1,
    "failed": 0
  },
  "importance": {
    "network.convs.0": 1.0
  },
  "zoo": [
    {
      "name": "digits",
      "accuracy": 0.95,
      "cost": 900.5
    }
  ],
  "points": [
    {
      "point": 1,
      "candidate": 0,
      "network": {
        "name": "chain",
        "convs": [
          4
        ]
      },
      "held_out_accuracy": 0.5,
      "held_out_accuracies": [
        0.25,
        0.75
      ],
      "held_out_spread": 0.125,
      "lut": 620.5,
      "bram36": 0.5,
      "dsp": 0.0,
      "cost": 815.2,
      "cycles": 192,
      "frames_per_second": 520833.3,
      "latency_ms": 0.002
    }
  ]
}
"""
FIGURES = Figures(Resources(620.512345, 700.0, 0.5, 0.0), 815.1512, 192, 520833.3333)
ROW = {
    "lut": 620.5,
    "bram36": 0.5,
    "dsp": 0.0,
    "cost": 815.2,
    "cycles": 192,
    "frames_per_second": 520833.3,
}


def test_a_front_is_read_and_written_as_it_was(tmp_path):
    (tmp_path / "front.json").write_text(FRONT)
    front = FrontRow.read(tmp_path / "front.json")
    assert file_text(front.json()) == FRONT
    (point,) = front.points
    assert (point.hardware.cycles, point.network["convs"], front.zoo[0].cost) == (192, [4], 900.5)


def test_figures_are_rounded_once():
    row = HardwareRow.of(FIGURES)
    assert row.json() == ROW
    assert list(row.json()) == list(ROW)
    assert HardwareRow.of_json(json.loads(json.dumps(row.json()))) == row


def test_what_was_listed():
    candidate = Candidate({"network": {"name": "chain", "convs": [4]}})
    network = {"name": "chain", "convs": [4]}
    assert ListedRow(candidate, HardwareRow.of(FIGURES)).json() == {"network": network, **ROW}
    excluded = ListedRow(candidate, Excluded("lut", "too large", 2.0)).json()
    assert excluded == {"network": network, "limit": "lut", "reason": "too large"}


def test_what_the_study_keeps():
    rows = {"mvu_0": {"PE": 2, "SIMD": 4}}
    assert folding_json(foldings_of_json(rows)) == rows
    assert stage_json(stage_of_json([0.5, 12.5])) == [0.5, 12.5]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "no front (No such file or directory); the same search again writes it anew"),
        ("{", "no front (JSONDecodeError: "),
        ("[]", "no front (TypeError: "),
        ('{"schema": 1}', "no front (KeyError: 'boards')"),
        ('{"schema": 2}', "no front (schema 2, and this version reads 1)"),
    ],
)
def test_a_file_that_is_no_front(text, reason, tmp_path):
    if text is not None:
        (tmp_path / "front.json").write_text(text)
    with pytest.raises(UserError) as raised:
        FrontRow.read(tmp_path / "front.json")
    assert reason in str(raised.value)
