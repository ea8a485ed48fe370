# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Iterator
from itertools import product

import pytest

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.width_converter import WidthConverter
from tests.support.bench import prove
from tests.support.grids import Grid, Point, unsigned

EXAMPLES = [
    WidthConverter(TensorType((1, 2, 6), BIPOLAR)),
]
ILLEGAL = [{"IN_LANES": 4, "OUT_LANES": 6}, {"IN_LANES": 3, "OUT_LANES": 3}]


def points() -> Iterator[Point]:
    """Up and down."""
    for bits in (1, 4, 8):
        kind = TensorType((1, 1, 192), unsigned(bits))
        for narrow, ratio in product((1, 3, 8, 16, 32, 64), (2, 3, 4, 6, 8, 16, 64)):
            if 192 % (narrow * ratio) == 0:
                yield WidthConverter(kind), Folding(narrow * ratio, narrow)
                yield WidthConverter(kind), Folding(narrow, narrow * ratio)


GRID = Grid(points, step=23)


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("shape", "element", "pe", "simd"),
    [
        ((2, 3, 4), BIPOLAR, 4, 1),
        ((2, 3, 4), BIPOLAR, 1, 8),
        ((1, 5, 6), Element(-8, 7), 6, 2),
        ((1, 4, 9), Element(0, 255), 3, 9),
        ((1, 1, 96), BIPOLAR, 96, 32),
    ],
)
def test_rtl(shape, element, pe, simd, tmp_path):
    prove(WidthConverter(TensorType(shape, element)), Folding(pe, simd), tmp_path)


def test_foldings_are_pairs_of_which_one_divides_the_other():
    kernel = WidthConverter(TensorType((1, 1, 6), BIPOLAR))
    pairs = {(folding.pe, folding.simd) for folding in kernel.foldings()}
    assert (6, 2) in pairs and (1, 3) in pairs
    assert (2, 3) not in pairs and (2, 2) not in pairs
