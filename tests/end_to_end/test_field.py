# SPDX-License-Identifier: BSD-3-Clause
"""Networks of the field, from the file to the RTL; `python -m benchmarks.field` does the same."""

import pytest

from benchmarks.field import steps
from tests.support.field_networks import FINN, OTHERS, SMALLER

NETWORKS = {**FINN, **OTHERS, **SMALLER}


def judged(name, folder):
    for step, run in steps(name, NETWORKS[name], {}, folder / name).items():
        row = run()
        assert row["ok"], (step, row)
        yield step


@pytest.mark.rtl
def test_the_smallest_of_them(tmp_path):
    assert list(judged("unsw_mlp_w2a2", tmp_path)) == [
        *("compile", "integers", "lint", "rtl", "rtl, stalls")
    ]


@pytest.mark.rtl
@pytest.mark.large
@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "unsw_mlp_w2a2"])
def test_a_network(name, tmp_path):
    assert "integers" in list(judged(name, tmp_path))
