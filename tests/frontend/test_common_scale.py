# SPDX-License-Identifier: BSD-3-Clause
"""The scale of which all of some floats are multiples."""

import numpy as np
import pytest

from bonn_hw.frontend.common_scale import common_scale, multiples


@pytest.mark.parametrize(
    ("values", "scale", "integers"),
    [
        ([-1, 0, 1], 1, [-1, 0, 1]),
        ([0, 1], 1, [0, 1]),
        ([-1, 1, 3, 5], 1, [-1, 1, 3, 5]),  # 2 apart
        ([-0.5, 0.5, 1.5], 0.5, [-1, 1, 3]),
        ([0.2, 0.5, 0.8], 0.1, [2, 5, 8]),
        ([4, 4], 4, [1, 1]),
        ([0, 0], 1, [0, 0]),
        ([-32767, 1, 32767], 1, [-32767, 1, 32767]),
    ],
)
def test_multiples(values, scale, integers):
    floats = np.array(values, np.float32)
    found = common_scale(floats)
    assert found == np.float32(scale)
    assert multiples(floats, found).tolist() == integers


def test_divided_integers():
    floats = np.arange(256, dtype=np.float32) / np.float32(255)
    scale = common_scale(floats)  # each quotient is rounded, so a third of a step fits them
    integers = multiples(floats, scale)
    np.testing.assert_array_equal((integers * np.float64(scale)).astype(np.float32), floats)
    assert integers.tolist() == list(range(0, 768, 3))


@pytest.mark.parametrize(
    "values",
    [
        [],
        [1, 1.234567],
        [1, np.inf],
        [1, np.nan],
        [1, 32768],
        np.random.default_rng(0).normal(size=40),
        np.arange(5000),
    ],
)
def test_no_common_scale(values):
    assert common_scale(np.array(values, np.float32)) is None


def test_the_next_float_is_another_value():
    floats = np.array([10, 20, np.nextafter(np.float32(30), np.float32(31))], np.float32)
    assert multiples(floats, np.float32(10)) is None
    assert multiples(np.float32([10, 20, 30]), np.float32(10)).tolist() == [1, 2, 3]
