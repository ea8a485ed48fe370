# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Iterator

import numpy as np
import pytest

from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.add import Add
from bonn_hw.kernels.fifo import Fifo
from tests.kernels.test_stream_fork import matrix, meeting, prove_meeting
from tests.support.bench import random_values
from tests.support.grids import Grid, Point, even, signed, unsigned

INTEGERS = TensorType((4, 4, 6), Element(-100, 100))
EXAMPLES = [
    Add(INTEGERS, TensorType((4, 4, 6), Element(0, 9))),
    Add(INTEGERS, TensorType((4, 4, 6), Element(100, 100))),  # the sum has fewer bits than the left
]
ILLEGAL = [{"LANES": 0}, {"LEFT_BITS": 0}, {"RIGHT_BITS": 0}, {"OUT_BITS": 0}]


def points() -> Iterator[Point]:
    """Kinds alike, of other widths, and a constant."""
    for left, right in (
        *((signed(bits), signed(bits)) for bits in (1, 2, 4, 8, 16)),
        *((unsigned(bits), unsigned(bits)) for bits in (1, 3, 8)),
        *((signed(4), signed(12)), (unsigned(4), signed(9)), (signed(8), unsigned(2))),
        (signed(8), Element(100, 100)),
    ):
        for lanes in (1, 4, 16, 64):
            yield Add(TensorType((2, 2, 64), left), TensorType((2, 2, 64), right)), even(lanes)


GRID = Grid(points, step=9)


OPERANDS = [
    # Of a neuron of two inputs +x or -x and an offset, and of x itself.
    (Element(-8, 7), 1, 0, (True, 5), (True, 4)),
    (Element(0, 15), -1, 0, (True, 6), (False, 4)),
    (Element(-100, 27), 1, 200, (False, 8), (True, 8)),
    (Element(0, 15), 1, 0, (False, 5), (False, 4)),
    (Element(0, 1), -1, 1, (True, 2), (False, 1)),
    (Element(-1, 0), 1, 2, (False, 2), (True, 1)),
    (Element(-30000, 30000), 1, 0, (True, 17), (True, 16)),
]


def points_of_rtl():
    """All operands in both orders; one order of each in every run, by turns."""
    for place, operands in enumerate(OPERANDS):
        for lanes, swapped in ((1, True), (2, False)):
            night = (place + lanes) % 2 == 0
            yield pytest.param(*operands, lanes, swapped, marks=pytest.mark.large if night else ())


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("element", "sign", "offset", "left", "right", "lanes", "swapped"), list(points_of_rtl())
)
def test_rtl(element, sign, offset, left, right, lanes, swapped, tmp_path):
    kind = TensorType((2, 3, 2), element)
    unit = matrix(kind, np.full((2, 2), sign), offset)
    branches = [[unit], [Fifo(kind, 8)]]
    design = meeting(kind, branches[::-1] if swapped else branches, lanes)
    operands = [
        (kind.element.signed, kind.element.bits) for kind in design.graph.nodes[-1].kernel.inputs
    ]
    assert operands == ([right, left] if swapped else [left, right])
    prove_meeting(design, tmp_path)


@pytest.mark.rtl
@pytest.mark.parametrize("swapped", [False, True])
def test_a_sum_narrower_than_its_operands(swapped, tmp_path):
    kind = TensorType((3, 5, 1), Element(70, 73))
    branches = [[matrix(kind, np.array([[-1]]))], [Fifo(kind, 4)]]
    design = meeting(kind, branches[::-1] if swapped else branches, 1)
    kernel = design.graph.nodes[-1].kernel
    widths = [operand.element.bits for operand in (*kernel.inputs, *kernel.outputs)]
    assert widths == ([7, 8, 3] if swapped else [8, 7, 3])
    prove_meeting(design, tmp_path)


def test_reference_does_not_overflow_narrow_integers():
    kind = TensorType((1, 1, 2), Element(-128, 127))
    frames = np.array([[[[-128, 127]]]], np.int8)
    (sums,) = Add(kind, kind).reference(frames, frames)
    assert sums.ravel().tolist() == [-256, 254]


def test_output_range_is_the_sum_of_the_ranges():
    kernel = Add(TensorType((2, 2, 3), Element(-8, 7)), TensorType((2, 2, 3), Element(0, 20)))
    assert kernel.outputs == (TensorType((2, 2, 3), Element(-8, 27)),)
    left, right = (random_values(kind, 4, seed) for seed, kind in enumerate(kernel.inputs))
    (sums,) = kernel.reference(left, right)
    np.testing.assert_array_equal(sums, left + right)
    assert (sums.min(), sums.max()) == (-8, 27)


INTEGERS = TensorType((2, 2, 3), Element(0, 3))


@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        (INTEGERS, TensorType((2, 2, 3), BIPOLAR), r"not 2x2x3 \[0, 3\] and 2x2x3 bipolar"),
        (TensorType((2, 2, 3), BIPOLAR), INTEGERS, r"not 2x2x3 bipolar and 2x2x3 \[0, 3\]"),
        (
            INTEGERS,
            TensorType((2, 3, 2), Element(0, 3)),
            r"not 2x2x3 \[0, 3\] and 2x3x2 \[0, 3\]",
        ),
    ],
)
def test_illegal_sums_are_refused(left, right, message):
    with pytest.raises(ValueError, match=f"Add needs integers of one shape, {message}"):
        Add(left, right)
