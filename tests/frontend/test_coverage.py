# SPDX-License-Identifier: BSD-3-Clause
"""A sample of the coverage grid; ``python -m benchmarks.coverage`` runs all of it."""

import pytest

from tests.support.coverage import MODES, REFUSED, cases, judge

CASES = list(cases())


def test_the_grid_has_every_mode_and_no_name_twice():
    names = {case.name for case in CASES}
    assert len(names) == len(CASES) >= 1000
    assert {case.mode for case in CASES} == set(MODES)


@pytest.mark.parametrize("case", CASES[13::131], ids=lambda case: case.name)
def test_a_case_is_exact(case, tmp_path):
    verdict = judge(case, tmp_path)
    assert (verdict.outcome, verdict.reason) == ("exact", "")


def test_a_refusal_is_one_that_the_docs_name(tmp_path):
    refused = [case for case in CASES if "count_include_pad=0" in case.name]
    verdict = judge(refused[0], tmp_path)
    assert verdict.outcome == "refused"
    assert "count_include_pad=1" in REFUSED[0]


@pytest.mark.large
@pytest.mark.parametrize("start", range(20))
def test_the_whole_grid(start, tmp_path):
    wrong = [one for case in CASES[start::20] if (one := judge(case, tmp_path)).outcome == "wrong"]
    assert not wrong
