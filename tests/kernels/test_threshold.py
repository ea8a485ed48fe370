# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.tensor import Element, TensorType
from bonn_hw.kernels.threshold import Threshold
from tests.support.bench import prove
from tests.support.grids import Grid, Point, even, signed, unsigned

INTEGERS = TensorType((4, 4, 6), Element(-100, 100))
EXAMPLES = [
    Threshold(INTEGERS, np.zeros(6, np.int64), np.zeros(6, bool)),
]
ILLEGAL = [{"FOLDS": 0}, {"LEVEL_BITS": 3}]


def points() -> Iterator[Point]:
    """Random levels, some of them out of reach."""
    rng = np.random.default_rng(0)
    for channels, element in product(
        (16, 64, 256, 512), (signed(2), unsigned(3), signed(5), unsigned(8), signed(12), signed(16))
    ):
        levels = rng.integers(element.low, element.high + 2, channels)
        kernel = Threshold(
            TensorType((2, 2, channels), element), levels, rng.random(channels) < 0.5
        )
        for lanes in (1, 4, 16, 64):
            if lanes <= channels:
                yield kernel, even(lanes)


GRID = Grid(points, step=17)


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
