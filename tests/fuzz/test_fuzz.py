# SPDX-License-Identifier: BSD-3-Clause
"""A fixed number of damaged inputs of every kind; `python -m benchmarks.fuzz` runs many more."""

import pytest

from tests.fuzz.judge import judge
from tests.fuzz.kinds import KINDS

CASES = {"onnx": 40, "build": 25, "report": 15, "folding": 10, "checkpoint": 20}
MORE = 150  # of the kinds that are only read


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_damaged_inputs_get_one_message(kind, tmp_path):
    (tmp_path / "seeds").mkdir()
    (tmp_path / "cases").mkdir()
    case = kind.make(tmp_path / "seeds")
    outcomes = [judge(case, seed, tmp_path / "cases") for seed in range(CASES.get(kind.name, MORE))]
    findings = [f"{n}: {one.text}" for n, one in enumerate(outcomes) if one.what == "finding"]
    assert not findings, "\n".join(findings[:3])
    assert "refused" in {one.what for one in outcomes}
