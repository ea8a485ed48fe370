# SPDX-License-Identifier: BSD-3-Clause
import json

import numpy as np
import pytest

from bonn_hw.errors import UserError
from bonn_hw.nn.training.kernel_statistics import kernel_statistics

SHAPE = (64, 64, 3, 3)


@pytest.fixture
def draw():
    return np.random.default_rng(1)


def signs(draw):
    return draw.choice([-1.0, 1.0], SHAPE)


def test_normal(draw):
    found = kernel_statistics(draw.normal(0, 0.01, SHAPE).astype(np.float32))
    assert found["bimodality"] == pytest.approx(1 / 3, abs=0.01)
    assert 1.2 < found["valley"] < 1.5  # 1.36 = exp(1/pi), less what the windows flatten
    assert found["mean_abs"] == pytest.approx(0.01 * np.sqrt(2 / np.pi), rel=0.01)
    assert found["deviation"] == pytest.approx(0.01 * np.sqrt(1 - 2 / np.pi), rel=0.01)
    assert found["limit"] == pytest.approx(1.25 * 0.0329, rel=0.03)
    assert len(found["counts"]) == 64
    assert sum(found["counts"]) == np.prod(SHAPE)


def test_uniform(draw):
    found = kernel_statistics(draw.uniform(-2, 2, SHAPE))
    assert found["bimodality"] == pytest.approx(5 / 9, abs=0.01)
    assert found["valley"] == pytest.approx(1, abs=0.1)


def test_two_modes(draw):
    found = kernel_statistics(signs(draw) * draw.normal(0.01, 0.002, SHAPE))
    assert found["bimodality"] > 0.8
    assert found["valley"] < 0.01


def test_modes_that_overlap_lie_between(draw):
    found = kernel_statistics(signs(draw) * draw.normal(0.01, 0.005, SHAPE))
    assert 0.1 < found["valley"] < 0.5


def test_modes_of_unequal_weight(draw):
    sign = draw.choice([-1.0, 1.0], SHAPE, p=[0.2, 0.8])
    found = kernel_statistics(sign * draw.normal(0.01, 0.002, SHAPE))
    assert found["bimodality"] > 0.8
    assert found["valley"] < 0.01


def test_two_points():
    found = kernel_statistics(np.array([-0.5, 0.5, 0.5, -0.5]))
    assert found["bimodality"] == pytest.approx(1)
    assert found["valley"] == 0
    assert (found["mean_abs"], found["deviation"], found["limit"]) == (0.5, 0, 0.625)
    # They stand in the inside of the histogram.
    assert {i: n for i, n in enumerate(found["counts"]) if n} == {6: 2, 57: 2}


def test_an_outlier_counts_in_the_end_bin_and_moves_no_limit(draw):
    weights = draw.normal(0, 1, SHAPE)
    weights.flat[0] = 1e6
    found = kernel_statistics(weights)
    assert found["limit"] < 5
    assert found["counts"][-1] >= 1
    assert sum(found["counts"]) == weights.size


def test_all_zero():
    counts = [0] * 64
    counts[32] = 8
    assert kernel_statistics(np.zeros((2, 4))) == {
        "limit": 0,
        "counts": counts,
        "mean_abs": 0,
        "deviation": 0,
        "bimodality": None,
        "valley": None,
    }


@pytest.mark.parametrize("value", [0.1, -0.3, 1e-30, 7.0])
def test_constant(value):
    found = kernel_statistics(np.full((3, 7), value))
    assert found["bimodality"] is None
    assert found["valley"] is None
    assert found["mean_abs"] == pytest.approx(abs(value))
    assert sum(found["counts"]) == 21


def test_almost_all_zero():
    weights = np.zeros((100, 100))
    weights[0, 0] = -2
    found = kernel_statistics(weights)
    assert (found["limit"], found["counts"][0], found["counts"][32]) == (2, 1, 9999)
    assert found["valley"] is None


def test_one_weight():
    assert kernel_statistics(np.array([[2.0]]))["bimodality"] is None


@pytest.mark.parametrize("scale", [1e-44, 1e-30, 1e30, 1e38])
def test_the_shape_does_not_depend_on_the_scale(draw, scale):
    x = draw.normal(0, 0.5, SHAPE)
    found, scaled = kernel_statistics(x), kernel_statistics(x * scale)
    for name in ("bimodality", "valley"):
        assert scaled[name] == pytest.approx(found[name], rel=1e-6)
    assert scaled["mean_abs"] == pytest.approx(found["mean_abs"] * scale, rel=1e-6)


@pytest.mark.parametrize("weights", [np.zeros(9), np.full(9, 0.1), np.array([1.0, -1, 3, 0])])
def test_is_json_without_nan(weights):
    found = kernel_statistics(weights)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@pytest.mark.parametrize(
    ("weights", "wrong"), [([1, np.nan, np.inf, 2], "2 of 4"), (np.zeros((0, 3)), "0 of 0")]
)
def test_refused(weights, wrong):
    with pytest.raises(UserError) as error:
        kernel_statistics(np.array(weights))
    assert str(error.value) == (
        f"weights: {wrong} are not finite; a layer must have weights and all must be finite: "
        "train again, into a new folder, with a lower lr"
    )
