# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.pad import Pad
from tests.support.bench import prove
from tests.support.grids import FRAME_SHAPES, Grid, Point, even, signed, unsigned

BITS = TensorType((4, 4, 6), BIPOLAR)
EXAMPLES = [
    Pad(BITS, (1, 1, 1, 1), -1),
]
ILLEGAL = [{"FOLDS": 0}, {"TOP": -1}]


def points() -> Iterator[Point]:
    """Borders all round and on some sides."""
    for (height, width), element in product(FRAME_SHAPES, (BIPOLAR, signed(4), unsigned(8))):
        for lanes in (1, 16, 64):
            kind = TensorType((height, width, 64), element)
            yield Pad(kind, (1, 1, 1, 1), element.low), even(lanes)
    for pads in ((0, 1, 2, 0), (2, 2, 2, 2), (3, 3, 3, 3), (0, 0, 1, 1), (1, 0, 0, 0)):
        for lanes in (1, 16, 64):
            yield Pad(TensorType((16, 16, 64), BIPOLAR), pads, 1), even(lanes)
            yield Pad(TensorType((16, 16, 64), signed(4)), pads, 3), even(lanes)


GRID = Grid(points, step=19)


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("shape", "element", "pads", "value", "lanes"),
    [
        ((3, 5, 4), BIPOLAR, (1, 1, 1, 1), -1, 2),
        ((2, 3, 6), BIPOLAR, (2, 0, 1, 3), 1, 6),
        ((3, 2, 2), Element(-128, 127), (0, 1, 2, 0), 0, 1),
        ((1, 1, 3), Element(0, 5), (3, 3, 3, 3), 0, 3),
        ((2, 1, 2), Element(3, 18), (1, 0, 1, 2), 0, 2),
        ((2, 2, 1), BIPOLAR, (0, 0, 0, 0), 1, 1),
    ],
)
def test_rtl(shape, element, pads, value, lanes, tmp_path):
    prove(Pad(TensorType(shape, element), pads, value), Folding(lanes, lanes), tmp_path)


def test_reference_puts_the_value_round_the_frame():
    kernel = Pad(TensorType((1, 1, 2), Element(0, 9)), (1, 0, 0, 1), 7)
    (padded,) = kernel.reference(np.array([[[[3, 4]]]]))
    assert padded[0].tolist() == [[[7, 7], [7, 7]], [[3, 4], [7, 7]]]


def test_a_value_that_the_element_lacks_is_refused():
    with pytest.raises(ValueError, match="pad value 0 is not one of 1x1x1 bipolar"):
        Pad(TensorType((1, 1, 1), BIPOLAR), (1, 1, 1, 1), 0)
    with pytest.raises(ValueError, match="pad value -1 is not one of 1x1x1 "):
        Pad(TensorType((1, 1, 1), Element(3, 18)), (1, 1, 1, 1), -1)


def test_a_value_that_the_code_holds_widens_the_range():
    kernel = Pad(TensorType((1, 1, 1), Element(3, 18)), (1, 1, 1, 1), 0)
    assert kernel.outputs == (TensorType((3, 3, 1), Element(0, 18)),)
