# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest

from bonn_hw.frontend.staircase import gather
from bonn_hw.frontend.staircase_thresholds import multi_threshold
from bonn_hw.ir.tensor import Element, TensorType

GRID = np.arange(-40, 41)


def kernel(values, element, channels):
    """The kernel for outputs (x, rows), one row for each channel or one for all."""
    rows = values.shape[1]
    stairs = gather([(GRID, values)], np.full(rows, -40), np.full(rows, 40))
    kind = TensorType((1, 1, channels), Element(-40, 40))
    return multi_threshold(stairs, kind, element)


@pytest.mark.parametrize("element", [Element(-8, 7), Element(-7, 7), Element(0, 5), Element(0, 1)])
def test_every_output_is_the_staircases(element):
    rng = np.random.default_rng(0)
    values = np.sort(rng.integers(element.low, element.high + 1, (GRID.size, 5)), axis=0)
    values[:, 1] = values[::-1, 1]  # falls
    values[:, 2] = element.high  # constant
    values[:, 3] = np.where(GRID < 7, element.high, element.low)  # one step, of all levels
    found = kernel(values, element, 5)
    frames = np.broadcast_to(GRID[:, None, None, None], (GRID.size, 1, 1, 5))
    assert np.array_equal(found.reference(frames)[0].reshape(GRID.size, 5), values)
    assert found.inverted.tolist() == [False, True, False, True, False]


def test_one_channel_stands_for_all():
    values = np.clip(GRID // 8, -4, 3)[:, None]
    found = kernel(values, Element(-4, 3), 3)
    assert found.thresholds.tolist() == [[-24, -16, -8, 0, 8, 16, 24]] * 3


def test_what_is_no_staircase():
    assert kernel(np.abs(GRID // 8)[:, None], Element(0, 7), 2) is None
    assert kernel(GRID[:, None] * 8, Element(-320, 320), 2) is None
