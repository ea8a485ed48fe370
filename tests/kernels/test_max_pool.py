# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.max_pool import MaxPool
from tests.support.bench import prove
from tests.support.grids import FRAME_SHAPES, Grid, Point, even, signed, unsigned

BITS = TensorType((4, 4, 6), BIPOLAR)
INTEGERS = TensorType((4, 4, 6), Element(-100, 100))
EXAMPLES = [
    MaxPool(BITS, (2, 2)),
    MaxPool(INTEGERS, (2, 2)),
]
ILLEGAL = [{"KH": 5}, {"KW": 0}]


def points() -> Iterator[Point]:
    """Frames with and without a remainder, other windows, rows of one pixel."""
    for (height, width), element in product(
        FRAME_SHAPES, (BIPOLAR, unsigned(2), signed(4), unsigned(8))
    ):
        for lanes in (1, 4, 16, 64):
            yield MaxPool(TensorType((height, width, 64), element), (2, 2)), even(lanes)
    for kernel in ((3, 3), (4, 2), (8, 8), (1, 1)):
        for lanes in (2, 64):
            yield MaxPool(TensorType((8, 8, 64), BIPOLAR), kernel), even(lanes)
            yield MaxPool(TensorType((8, 8, 96), signed(4)), kernel), even(lanes // 2)
    for lanes in (1, 64):  # overlapping windows, in rows of one pixel
        yield MaxPool(TensorType((15 * 15 * 9, 1, 64), BIPOLAR), (9, 1)), even(lanes)
        yield MaxPool(TensorType((15 * 15 * 9, 1, 64), signed(4)), (9, 1)), even(lanes)


GRID = Grid(points, step=23)


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("shape", "element", "kernel", "lanes"),
    [
        ((4, 6, 4), BIPOLAR, (2, 2), 2),
        ((5, 7, 3), BIPOLAR, (2, 3), 1),  # rows and columns over
        ((6, 5, 2), Element(-128, 127), (3, 2), 2),
        ((4, 4, 4), Element(0, 200), (2, 2), 1),
        ((18, 1, 3), BIPOLAR, (9, 1), 3),  # as it follows a sliding window
        ((3, 3, 1), BIPOLAR, (1, 1), 1),
        ((2, 2, 5), Element(-3, 60), (2, 2), 5),
    ],
)
def test_rtl(shape, element, kernel, lanes, tmp_path):
    prove(MaxPool(TensorType(shape, element), kernel), Folding(lanes, lanes), tmp_path)


def test_reference_drops_what_is_over():
    kernel = MaxPool(TensorType((3, 3, 1), Element(-9, 9)), (2, 2))
    frame = np.array([[-5, -4, 9], [-7, -6, 9], [9, 9, 9]]).reshape(1, 3, 3, 1)
    assert kernel.reference(frame)[0].ravel().tolist() == [-4]
