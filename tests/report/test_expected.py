# SPDX-License-Identifier: BSD-3-Clause
"""Outputs that a user expects: equal, rounded, or different."""

from dataclasses import replace

import numpy as np
import pytest

from bonn_hw.errors import UserError
from bonn_hw.report.expected import check_shape, compare_expected, distance, wrong_values
from bonn_hw.report.simulation import simulated
from bonn_hw.report.values import Expected
from tests.report.test_simulation import CLASSES, FRAMES, LABELS, TRUTH, answers

OURS = TRUTH.reshape(FRAMES, CLASSES).astype(np.float32) / 2


def test_the_four_kinds_of_frames():
    expected = OURS.copy()
    expected[1] *= np.float32(1 + 2e-7)
    expected[2, 0] += 1.0  # a step, as ONNX Runtime rounds it
    expected[3, 1] += 1.0  # a step that nothing explains
    rounded = OURS.copy()
    rounded[2, 0] += np.float32(1.0000001)
    found = compare_expected(replace(answers(), rounded=rounded), expected)
    assert found.counts == Expected(
        equal=1, last_digits=1, rounded=1, differ=1, largest=found.counts.largest
    )
    assert found.differ.tolist() == [False, False, False, True]
    assert found.counts.largest == pytest.approx(1 / expected[2].max(), rel=1e-3)


def test_every_single_step_is_found():
    for place in np.ndindex(OURS.shape):
        expected = OURS.copy()
        expected[place] += 0.5
        assert compare_expected(answers(), expected).counts.differ == 1


def test_the_values_that_make_a_frame_differ():
    """Neither last digits nor a frame that is explained; also in a frame of zeros."""
    ours = OURS.copy()
    ours[0] = 0.0
    expected = ours * np.float32(1 + 2e-7)
    wrong = ours.copy()
    for place in ((0, 1), (2, 0), (3, 1)):
        expected[place] += 0.5
        wrong[place] = expected[place]
    wrong[2] = ours[2]
    explained = np.arange(FRAMES) == 2
    found = wrong_values(replace(answers(), y=ours), expected, explained)
    np.testing.assert_array_equal(found, wrong)


def test_it_is_a_mismatch_of_the_report():
    wrong = OURS + np.array([[0], [0], [0], [1]], np.float32)
    found = simulated(("a", "b"), answers(), LABELS, expected=wrong)
    assert found.comparison.mismatches == 1
    assert found.comparison.mismatches_between.rtl_expected == 1
    assert found.accuracy.expected == found.accuracy.rtl == 0.75
    assert simulated(("a", "b"), answers()).comparison.mismatches_between.rtl_expected is None


def test_not_a_number():
    nowhere = np.full((2, 2), np.nan, np.float32)
    assert distance(nowhere, nowhere).tolist() == [0, 0]
    assert distance(nowhere, np.ones((2, 2), np.float32)).tolist() == [np.inf, np.inf]
    assert distance(np.zeros((1, 2), np.float32), np.zeros((1, 2), np.float32)).tolist() == [0]


def test_shapes():
    check_shape(np.zeros((4, 3)), 4, (3,))
    check_shape(np.zeros((4, 3, 1, 1)), 4, (3,))
    with pytest.raises(UserError, match=r"^--expected: .* 4 frames have the shape \(4, 3\), not"):
        check_shape(np.zeros((3, 4)), 4, (3,))
    with pytest.raises(UserError, match=r"not \(4,\); classes are given with --labels$"):
        check_shape(np.zeros(4), 4, (3,))
