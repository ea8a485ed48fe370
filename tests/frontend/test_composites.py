# SPDX-License-Identifier: BSD-3-Clause
"""Nodes that stand for several operators, against NumPy and qonnx, in all operator sets."""

import numpy as np
import pytest
from qonnx.custom_op.general.intquant import resolve_rounding_mode
from qonnx.custom_op.general.multithreshold import multithreshold

from bonn_hw.frontend import composites, execute

MODES = {
    "RoundAwayFromZero": "UP",
    "RoundTowardsZero": "DOWN",
    "RoundHalfAwayFromZero": "HALF_UP",
    "RoundHalfTowardsZero": "HALF_DOWN",
}
SETS = [7, 9, 11, 12, 13, 17, 21]


def test_all_roundings_are_compared():
    assert set(MODES) == set(composites.ROUNDINGS)


@pytest.mark.parametrize("opset", [8, 13])
@pytest.mark.parametrize("kind", MODES)
def test_roundings(kind, opset):
    near = np.array([0, 1, 2, 1000, 2**20, 2**22], np.float32)
    values = np.concatenate([near + step for step in np.arange(-1, 1.25, 0.25, np.float32)])
    values = np.concatenate([values, np.nextafter(values, np.float32(9e9)), -values])
    node = composites.rounding(kind, "x", "y", "round")
    ours = execute.run([node], {"x": values}, "y", {}, opset)
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(ours, resolve_rounding_mode(MODES[kind])(values))


@pytest.mark.parametrize("opset", SETS)
@pytest.mark.parametrize("shape", [(5, 3), (5, 3, 4), (2, 3, 2, 4)])
@pytest.mark.parametrize("rows", [1, 3])
def test_thresholds(rows, shape, opset):
    random = np.random.default_rng(0)
    limits = np.sort(random.integers(-4, 5, (rows, 7)), axis=1).astype(np.float32)
    values = random.integers(-5, 6, shape).astype(np.float32)
    node = composites.count_thresholds("x", limits, "y", "count")
    assert composites.rows(node) == rows
    ours = execute.run(composites.ranked([node], len(shape)), {"x": values}, "y", {}, opset)
    np.testing.assert_array_equal(ours, multithreshold(values, limits))


def test_only_standard_operators_are_written():
    node = composites.rounding("RoundTowardsZero", "x", "y", "round")
    proto = execute.part_of([node], {"x": (1, 2)}, ["y"], {}, 17).proto
    assert {one.domain for one in proto.graph.node} == {""}
    assert proto.graph.node[-1].name == "round"
