# SPDX-License-Identifier: BSD-3-Clause
"""Kernels proved for all inputs, stalls, resets and times (`make formal`; docs/proofs.md)."""

import pytest

from tests.formal.branches import ABSENT, branches
from tests.formal.engine import PROVED, Case, decide, prepare
from tests.formal.facts import Facts
from tests.formal.faults import FAULTS, faulty
from tests.formal.harness import PROPERTIES
from tests.formal.points import CORE, POINTS, points

CONTROLS = faulty()
# As long as the other sixteen together; three of them break `value` too.
LONG = "fault_7_value_sliding_window_1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All that CI proves, prepared by one process of Yosys."""
    place = tmp_path_factory.mktemp("formal")
    found = points()
    prepare([*(Case(name, found[name], led=True) for name in CORE), *CONTROLS], place)
    return place


@pytest.mark.parametrize("name", CORE)
def test_a_kernel_is_proved(name, folder):
    assert decide(name, folder, seconds=60) == PROVED


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.name, marks=pytest.mark.large if case.name == LONG else ())
        for case in CONTROLS
    ],
)
def test_a_fault_is_found(case, folder):
    assert decide(case.name, folder, seconds=60) == case.expected


def test_every_kernel_and_every_property_is_there():
    from bonn_hw.kernels import kernels

    assert set(POINTS) == set(kernels())
    assert {name.rsplit("_", 1)[0].removesuffix("_0") for name in CORE} >= set(POINTS)
    assert {name for name, *_ in FAULTS} == set(PROPERTIES)


def test_every_branch_of_the_rtl_is_proved():
    """A generate block that no point has is proved by nothing."""
    taken, found = set(), set()
    for facts in points().values():
        has, all_ = branches(facts.instance)
        taken |= has
        found |= all_
    assert len(found) > 100
    assert found - taken == set(ABSENT)


def test_a_range_with_codes_without_a_value_is_refused():
    from bonn_hw.ir.folding import Folding
    from bonn_hw.ir.tensor import Element, TensorType
    from bonn_hw.kernels.fifo import Fifo

    odd = Facts(Fifo(TensorType((1, 2, 1), Element(0, 2)), 2), Folding(1, 1))
    with pytest.raises(ValueError, match="has codes without a value: prove with a full range"):
        _ = odd.output_beats


@pytest.mark.large
def test_all_points_are_proved(tmp_path):
    found = points()
    prepare([Case(name, facts, led=True) for name, facts in found.items()], tmp_path)
    answers = {name: decide(name, tmp_path, seconds=300) for name in found}
    assert {name for name, answer in answers.items() if answer != PROVED} == set()
