# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Iterator

import numpy as np
import pytest

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.average_pool import AveragePool
from tests.support.bench import prove
from tests.support.corners import corners
from tests.support.grids import Grid, Point, even, signed, unsigned

INTEGERS = TensorType((4, 4, 6), Element(-100, 100))
EXAMPLES = [
    AveragePool(INTEGERS, (2, 3)),
    AveragePool(INTEGERS, (4, 4)),
]
ILLEGAL = [{"KH": 5}, {"KW": 0}, {"FOLDS": 0}, {"OUT_BITS": 7}]


def points() -> Iterator[Point]:
    """As they end networks, and smaller ones."""
    for element in (unsigned(1), unsigned(4), signed(8)):
        for kernel, (height, width) in (
            ((2, 2), (8, 8)),
            ((2, 3), (5, 7)),
            ((8, 8), (8, 8)),
            ((7, 7), (7, 7)),
            ((4, 4), (32, 32)),
        ):
            for lanes in (1, 4, 16, 64):
                kind = TensorType((height, width, 64), element)
                yield AveragePool(kind, kernel), even(lanes)


GRID = Grid(points, step=11)


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("shape", "element", "kernel", "lanes"),
    corners(
        [
            ((4, 6, 4), Element(0, 15), (2, 2), 2),
            ((5, 7, 3), Element(-8, 7), (2, 3), 1),  # rows and columns over
            ((7, 5, 2), Element(0, 1), (3, 4), 2),  # one bit
            ((6, 5, 2), Element(-128, 127), (3, 2), 1),
            ((2, 4, 3), Element(-1, 0), (2, 2), 3),  # one bit that is a sign
            ((3, 3, 4), Element(-5, 9), (1, 1), 2),
            ((4, 1, 2), Element(3, 20), (3, 1), 1),
            ((2, 2, 5), Element(-60, -3), (2, 2), 5),
            ((8, 8, 64), Element(0, 15), (8, 8), 16),  # global
            ((7, 5, 6), Element(-32, 31), (7, 5), 6),  # global, one word of sums
        ],
        lambda shape, element, kernel, lanes: (
            AveragePool(TensorType(shape, element), kernel).rtl(Folding(lanes, lanes)).parameters
        ),
    ),
)
def test_rtl(shape, element, kernel, lanes, tmp_path):
    prove(AveragePool(TensorType(shape, element), kernel), Folding(lanes, lanes), tmp_path)


def test_reference_sums_and_drops_what_is_over():
    kernel = AveragePool(TensorType((3, 3, 1), Element(-9, 9)), (2, 2))
    frame = np.array([[-5, -4, 9], [-7, 6, 9], [9, 9, 9]]).reshape(1, 3, 3, 1)
    assert kernel.reference(frame)[0].ravel().tolist() == [-10]


def test_reference_does_not_overflow_narrow_integers():
    kernel = AveragePool(TensorType((8, 8, 2), Element(-128, 127)), (8, 8))
    (sums,) = kernel.reference(np.full((1, 8, 8, 2), -128, np.int8))
    assert sums.ravel().tolist() == [-8192, -8192]


def test_output_range_is_that_of_a_window():
    kernel = AveragePool(TensorType((5, 7, 2), Element(-3, 10)), (2, 3))
    assert kernel.outputs == (TensorType((2, 2, 2), Element(-18, 60)),)


def test_illegal_pools_are_refused():
    with pytest.raises(ValueError, match="only integers are averaged, not 2x2x1 bipolar"):
        AveragePool(TensorType((2, 2, 1), BIPOLAR), (2, 2))
    with pytest.raises(ValueError, match=r"a \(3, 1\) window does not fit a frame of 2x2"):
        AveragePool(TensorType((2, 2, 1), Element(0, 1)), (3, 1))
