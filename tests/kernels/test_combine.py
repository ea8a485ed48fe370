# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Iterator

import numpy as np
import pytest

from bonn_hw.frontend.graph_builder import GraphBuilder
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.combine import FUNCTIONS, Combine
from tests.kernels.test_concat import folded, unit
from tests.kernels.test_stream_fork import prove_meeting
from tests.support.bench import random_values
from tests.support.grids import Grid, Point, even, signed, unsigned

INTEGERS = TensorType((4, 4, 6), Element(-100, 100))
EXAMPLES = [
    *(Combine(INTEGERS, TensorType((4, 4, 6), Element(0, 9)), name) for name in FUNCTIONS),
    Combine(INTEGERS, TensorType((4, 4, 6), Element(90, 110)), "maximum"),  # fewer bits than left
]
ILLEGAL = [{"LANES": 0}, {"LEFT_BITS": 0}, {"RIGHT_BITS": 0}, {"OUT_BITS": 0}, {"FUNCTION": 4}]


def points() -> Iterator[Point]:
    """Every function of operands alike, of other widths, and of a small range."""
    for function in FUNCTIONS:
        for left, right in (
            *((signed(bits), signed(bits)) for bits in (2, 4, 8)),
            *((unsigned(bits), unsigned(bits)) for bits in (1, 3, 8)),
            *((signed(4), signed(12)), (unsigned(4), signed(9)), (signed(8), unsigned(2))),
        ):
            for lanes in (1, 8, 64):
                kinds = TensorType((2, 2, 64), left), TensorType((2, 2, 64), right)
                yield Combine(*kinds, function), even(lanes)


GRID = Grid(points, step=11)


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("element", "place"),
    [(Element(-8, 7), 0), (Element(0, 15), 1)],
)
def test_rtl(element, place, tmp_path):
    """All functions at once: (x * f(x) - max(f(x), x)) - min(x, f(x)), signs on both sides."""
    builder = GraphBuilder(TensorType((2, 3, 2), element))
    product, one, large, two, small, three = builder.fork(6, "fork")
    for end in (one, large, three):
        end.add(unit(end.kind, 2), "unit")
    for left, right, function in (
        (product, one, "multiply"),
        (large, two, "maximum"),
        (small, three, "minimum"),
        (product, large, "subtract"),
        (product, small, "subtract"),
    ):
        left.add(Combine(left.kind, right.kind, function), function, right)
    prove_meeting(folded(product.graph(), place), tmp_path)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("left", "right"), [((-8, 7), (0, 20)), ((-3, -1), (-5, 4)), ((0, 1), (2, 2))]
)
def test_output_range_is_that_of_the_results(function, left, right):
    kinds = [TensorType((2, 2, 3), Element(*ends)) for ends in (left, right)]
    kernel = Combine(*kinds, function)
    every = [np.arange(low, high + 1) for low, high in (left, right)]
    results = FUNCTIONS[function](*(one.ravel() for one in np.meshgrid(*every)))
    element = kernel.outputs[0].element
    assert (element.low, element.high) == (results.min(), results.max())
    frames = [random_values(kind, 4, seed) for seed, kind in enumerate(kinds)]
    np.testing.assert_array_equal(kernel.reference(*frames)[0], FUNCTIONS[function](*frames))


def test_reference_does_not_overflow_narrow_integers():
    kind = TensorType((1, 1, 2), Element(-128, 127))
    frames = np.array([[[[-128, 127]]]], np.int8)
    (products,) = Combine(kind, kind, "multiply").reference(frames, frames)
    assert products.ravel().tolist() == [16384, 16129]


def test_illegal_operands_are_refused():
    bits = TensorType((4, 4, 6), BIPOLAR)
    with pytest.raises(ValueError, match="Combine needs integers of one shape, not 4x4x6"):
        Combine(INTEGERS, bits, "multiply")
    with pytest.raises(ValueError, match="Combine needs integers of one shape, not 4x4x6"):
        Combine(INTEGERS, TensorType((4, 6, 4), Element(0, 1)), "multiply")
    with pytest.raises(ValueError, match="minimum, not 'divide'"):
        Combine(INTEGERS, INTEGERS, "divide")
