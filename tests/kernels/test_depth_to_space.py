# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.depth_to_space import DepthToSpace
from tests.support.bench import prove
from tests.support.grids import Grid, Point, even, signed, unsigned

EXAMPLES = [
    DepthToSpace(TensorType((3, 4, 12), BIPOLAR), (2, 3)),
    DepthToSpace(TensorType((2, 64, 64), Element(-8, 7)), (2, 1)),  # in block memory
]
ILLEGAL = [{"SY": 1}, {"FOLDS": 0}, {"W": 0}]


def points() -> Iterator[Point]:
    """Small and large rows, of bits and of numbers."""
    shapes = ((4, 4, 16), (8, 8, 64), (7, 14, 256), (28, 28, 64))
    for shape, element, block in product(
        shapes, (BIPOLAR, signed(4), unsigned(8)), ((2, 2), (4, 4))
    ):
        channels = shape[2] // (block[0] * block[1])
        for lanes in sorted({1, channels}):
            yield DepthToSpace(TensorType(shape, element), block), even(lanes)


GRID = Grid(points, step=7)


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("shape", "element", "block", "lanes"),
    [
        ((3, 5, 8), BIPOLAR, (2, 2), 1),
        ((2, 1, 6), Element(-5, 9), (3, 1), 2),
        ((2, 40, 12), Element(-8, 7), (2, 2), 3),
    ],
)
def test_rtl(shape, element, block, lanes, tmp_path):
    prove(DepthToSpace(TensorType(shape, element), block), Folding(lanes, lanes), tmp_path)


def test_reference_moves_channels():
    kernel = DepthToSpace(TensorType((1, 2, 4), Element(0, 9)), (2, 2))
    (large,) = kernel.reference(np.arange(8).reshape(1, 1, 2, 4))
    assert large[0, ..., 0].tolist() == [[0, 1, 4, 5], [2, 3, 6, 7]]


@pytest.mark.parametrize(("channels", "block"), [(4, (1, 2)), (6, (2, 2)), (4, (2, 0))])
def test_illegal_blocks_are_refused(channels, block):
    with pytest.raises(ValueError, match="need two rows or more, and"):
        DepthToSpace(TensorType((2, 2, channels), BIPOLAR), block)
