# SPDX-License-Identifier: BSD-3-Clause
from dataclasses import dataclass

from bonn_hw.explore.front import hypervolume, order, pareto


@dataclass(frozen=True)
class Dot:
    accuracy: float
    cost: float


A, B, C, D = Dot(0.5, 10), Dot(0.8, 20), Dot(0.7, 30), Dot(0.9, 40)


def test_pareto():
    assert pareto([D, C, B, A]) == [A, B, D]
    assert pareto([Dot(0.5, 20), A, Dot(0.4, 10)]) == [A]
    assert pareto([]) == []


def test_order_is_front_by_front():
    worse = Dot(0.1, 50)
    assert order([worse, A, B, C, D]) == [D, B, A, C, worse]


def test_hypervolume():
    assert hypervolume([Dot(0.9, 50)], 100) == 0.45
    assert hypervolume([Dot(0.5, 0), Dot(1.0, 50)], 100) == 0.75
    assert hypervolume([Dot(0.5, 0), Dot(1.0, 50), Dot(0.4, 20)], 100) == 0.75  # beaten
    assert hypervolume([Dot(1.0, 100)], 100) == hypervolume([], 100) == 0
