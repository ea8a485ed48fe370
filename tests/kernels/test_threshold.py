# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.tensor import Element, TensorType
from bonn_hw.kernels.threshold import Threshold
from tests.support.bench import prove


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("element", "lanes"),
    [(Element(-128, 127), 2), (Element(0, 255), 6), (Element(-7, 100), 1), (Element(0, 1), 3)],
)
def test_rtl(element, lanes, tmp_path):
    # Ties, thresholds at and beyond both ends of the range (always, never), inverted ones.
    low, high = element.low, element.high
    thresholds = np.array([low - 9, low, (low + high) // 2, high, high + 1, high + 99])
    inverted = np.array([False, True, False, True, False, True])
    kernel = Threshold(TensorType((3, 4, 6), element), thresholds, inverted)
    prove(kernel, Folding(lanes, lanes), tmp_path)


def test_a_tie_is_plus_one():
    kernel = Threshold(
        TensorType((1, 1, 2), Element(-4, 3)), np.array([1, 1]), np.array([0, 1]) > 0
    )
    assert kernel.reference(np.array([[[[1, 1]]]]))[0].ravel().tolist() == [1, -1]
