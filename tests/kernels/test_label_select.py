# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Iterator

import numpy as np
import pytest

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.label_select import LabelSelect
from tests.support.bench import prove
from tests.support.grids import Grid, Point, signed, unsigned

INTEGERS = TensorType((4, 4, 6), Element(-100, 100))
EXAMPLES = [
    LabelSelect(INTEGERS),
    LabelSelect(INTEGERS, 3),
]
ILLEGAL = [{"LANES": 0}, {"INDEX_BITS": 2}, {"COUNT": 0}, {"LANES": 2, "COUNT": 2}]
CLASSES = ((10, (1, 2, 5, 10)), (16, (1, 4, 16)), (100, (1, 10)), (1000, (1,)))  # and lanes


def points() -> Iterator[Point]:
    """The classes of usual data sets, in the widths of accumulators."""
    for element in (signed(3), unsigned(4), signed(6), signed(8), signed(10), unsigned(12)):
        for channels, lanes in CLASSES:
            kernel = LabelSelect(TensorType((1, 1, channels), element))
            for simd in lanes:
                yield kernel, Folding(1, simd)
            for count in (2, 5):
                yield LabelSelect(kernel.input, count), Folding(count, 1)


GRID = Grid(points, step=6, depth=LabelSelect.logic_depth)


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("shape", "element", "count", "lanes"),
    [
        ((1, 1, 10), Element(-512, 512), 1, 1),
        ((1, 1, 10), Element(0, 3), 1, 10),  # many ties, and lanes that are not there
        ((2, 3, 12), Element(-4, 3), 1, 3),
        ((1, 1, 7), Element(-1, 0), 1, 7),
        ((3, 1, 8), Element(0, 200), 1, 2),
        ((4, 1, 1), Element(-5, 5), 1, 1),
        ((1, 2, 10), Element(-9, 9), 5, 1),
        ((2, 1, 3), Element(0, 2), 3, 1),  # all of them, sorted
    ],
)
def test_rtl(shape, element, count, lanes, tmp_path):
    prove(LabelSelect(TensorType(shape, element), count), Folding(count, lanes), tmp_path)


def test_the_first_of_equals():
    kernel = LabelSelect(TensorType((1, 1, 4), Element(-9, 9)))
    frames = np.array([[-3, 5, 5, 1], [-2, -2, -2, -2]]).reshape(2, 1, 1, 4)
    assert kernel.reference(frames)[0].ravel().tolist() == [1, 0]


def test_the_largest_first():
    kernel = LabelSelect(TensorType((1, 1, 4), Element(-9, 9)), 3)
    frames = np.array([[-3, 5, 5, 1], [-2, -9, -2, 7]]).reshape(2, 1, 1, 4)
    assert kernel.reference(frames)[0].reshape(2, 3).tolist() == [[1, 2, 3], [3, 0, 2]]
    with pytest.raises(ValueError, match="5 labels of 4 channels"):
        LabelSelect(kernel.input, 5)


def test_bits_are_refused():
    with pytest.raises(ValueError, match="labels are selected among integers"):
        LabelSelect(TensorType((1, 1, 4), BIPOLAR))


@pytest.mark.parametrize(
    ("element", "classes", "count", "lut", "ff"),
    [
        (signed(3), 16, 2, 17, 21),
        (unsigned(12), 10, 2, 39, 39),
        (unsigned(4), 1000, 2, 34, 42),
        (signed(3), 100, 5, 63, 64),
        (signed(8), 1000, 5, 116, 107),
        (unsigned(12), 16, 5, 113, 90),
    ],
)
def test_a_list_costs_what_yosys_found(element, classes, count, lut, ff):
    kernel = LabelSelect(TensorType((1, 1, classes), element), count)
    use = kernel.resources(Folding(count, 1))
    assert abs(use.lut - lut) <= 3
    assert abs(use.ff - ff) <= 1
