# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.tensor import BIPOLAR, Element
from bonn_hw.kernels.mvu import Mvu
from bonn_hw.kernels.placement import Placement, slices
from tests.support.bench import FRAMES, prove, random_values
from tests.support.corners import corners
from tests.support.grids import Grid, Point, signed, unsigned

WEIGHTS = np.ones((4, 6), np.int8)
CLASSES = ((0, 1, 1, 2), (0, 1, 1, 2))
EXAMPLES = [
    Mvu((4, 4), BIPOLAR, WEIGHTS, np.zeros((9, 4), np.int64), None, *CLASSES),
    Mvu((1, 1), Element(-8, 7), WEIGHTS, None, np.zeros((1, 4), np.int64), (0,), (0,)),
    Mvu((1, 1), Element(-8, 7), 5 * WEIGHTS, None, np.zeros((1, 4), np.int64), (0,), (0,)),
    Mvu(
        (1, 1),
        BIPOLAR,
        WEIGHTS,
        None,
        np.zeros((1, 4), np.int64),
        (0,),
        (0,),
        Placement(True, True),
    ),
]
ILLEGAL = [
    *({"PE": 3}, {"SIMD": 4}, {"IN_KIND": 3}, {"WEIGHT_BITS": 0}, {"ROW_CLASSES": 5}),
    *({"COL_CLASSES": 4}, {"OUT_BITS": 23}),
]


def matrix_unit(
    element: Element,
    high: int,
    wide: int,
    pixels: tuple[int, int] = (4, 4),
    weight_bits: int = 1,
    offsets: bool = False,
    classes: int = 1,
) -> Mvu:
    """A matrix unit of random weights; levels where the sums are, `classes` squared of them."""
    rng = np.random.default_rng(3)
    values = [-1, 1] if weight_bits == 1 else range(-(1 << weight_bits - 1), 1 << weight_bits - 1)
    weights = rng.choice(values, (high, wide)).astype(np.int8)
    reach = int(2 * wide**0.5 * max(abs(element.low), element.high))
    levels = rng.integers(-reach, reach + 1, (classes**2, high))
    place = tuple(min(pixel, classes - 1) for pixel in range(pixels[0]))
    chosen = (None, levels) if offsets else (levels, None)
    return Mvu(pixels, element, weights, *chosen, place, place)


def points() -> Iterator[Point]:
    """Layers of CNV, few bits, borders, last layers."""
    for pe, simd in product((1, 4, 16, 32), (8, 16, 32, 64)):
        yield matrix_unit(BIPOLAR, 64, 576), Folding(pe, simd)
        yield matrix_unit(BIPOLAR, 256, 1152), Folding(pe, simd)
        yield matrix_unit(BIPOLAR, 64, 512, (1, 1), offsets=True), Folding(pe, simd)
    for pe, simd in product((1, 4, 16), (3, 9, 27)):
        for element in (signed(8), unsigned(8), unsigned(2)):
            yield matrix_unit(element, 64, 27, (8, 8)), Folding(pe, simd)
    for pe, simd in product((1, 4, 16), (4, 16, 48)):
        yield matrix_unit(BIPOLAR, 32, 144, (8, 8), classes=3), Folding(pe, simd)
        yield matrix_unit(BIPOLAR, 16, 96, weight_bits=4, offsets=True), Folding(pe, simd)
        yield matrix_unit(unsigned(4), 16, 96, weight_bits=4), Folding(pe, simd)
    for pe, simd in ((1, 128), (8, 128), (16, 256)):
        yield matrix_unit(BIPOLAR, 256, 2304, (2, 2)), Folding(pe, simd)


GRID = Grid(points, step=12, small=400)  # of several neurons at a time


def unit(pixels, element, high, wide, *, bits=1, offsets=False, rows=None, columns=None, seed=0):
    """A unit with random weights; the first neurons are always on, always off and tie often.

    Weights of several bits hold their extremes and zero.
    """
    rng = np.random.default_rng(seed)
    rows = rows or (0,) * pixels[0]
    columns = columns or (0,) * pixels[1]
    weights = rng.choice([-1, 1], (high, wide)).astype(np.int8)
    weights[0] = 1
    largest = 2 ** (bits - 1)
    if bits > 1:
        kind = np.int8 if bits <= 8 else np.int16
        weights = rng.integers(-largest, largest, (high, wide)).astype(kind)
        weights[0, :2], weights[1], weights[-1] = 0, -largest, largest - 1
    reach = wide * largest * max(abs(element.low), abs(element.high))
    classes = (rows[-1] + 1) * (columns[-1] + 1)
    levels = rng.integers(-reach // 4, reach // 4 + 1, (classes, high))
    if not offsets:
        levels[0, :4] = [-reach - 5, reach + 5, 0, 1][: levels.shape[1]]
    chosen = (None, levels) if offsets else (levels, None)
    return Mvu(pixels, element, weights, *chosen, rows, columns)


BORDERS = {"rows": (0, 1, 1, 2), "columns": (0, 1, 2)}
SIGNED, UNSIGNED = Element(-128, 127), Element(0, 255)


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("kernel", "pe", "simd"),
    corners(
        [
            (unit((2, 3), BIPOLAR, 8, 12), 2, 3),
            (unit((1, 4), BIPOLAR, 6, 10), 6, 5),  # one neuron fold: no ring
            (unit((2, 2), BIPOLAR, 4, 9), 1, 9),  # one synapse fold
            (unit((1, 3), BIPOLAR, 4, 8), 4, 8),  # a result every cycle
            (unit((1, 1), BIPOLAR, 10, 64), 5, 1),
            (unit((4, 3), BIPOLAR, 6, 12, **BORDERS), 2, 4),
            (unit((4, 3), BIPOLAR, 5, 6, **BORDERS), 5, 6),
            (
                replace(
                    unit((4, 3), BIPOLAR, 6, 7, offsets=True, **BORDERS),
                    placement=Placement(levels_in_block=True),
                ),
                3,
                7,
            ),
            (unit((1, 2), BIPOLAR, 4, 33, offsets=True), 2, 11),
            *(
                (
                    replace(unit((1, 2), BIPOLAR, 4, wide), placement=Placement(parities=True)),
                    2,
                    simd,
                )
                for wide, simd in ((4, 1), (6, 2), (6, 3), (8, 4), (16, 8), (54, 27), (128, 64))
            ),
            (
                replace(
                    unit((4, 3), BIPOLAR, 4, 12, offsets=True, **BORDERS),
                    placement=Placement(parities=True),
                ),
                4,
                6,
            ),
            (unit((2, 2), SIGNED, 4, 6), 2, 3),
            (unit((2, 2), UNSIGNED, 4, 6), 4, 2),
            (unit((1, 2), UNSIGNED, 3, 5, offsets=True), 1, 5),
            (unit((1, 2), Element(-5, 11), 4, 6, offsets=True), 4, 6),
            (unit((2, 1), Element(3, 7), 2, 4, offsets=True), 2, 1),
            (unit((2, 2), SIGNED, 4, 6, bits=8), 2, 3),
            (unit((1, 3), SIGNED, 3, 5, bits=8, offsets=True), 3, 5),
            (unit((2, 1), UNSIGNED, 4, 6, bits=4), 1, 2),
            (unit((2, 1), UNSIGNED, 3, 4, bits=9, offsets=True), 3, 1),
            (unit((2, 2), Element(0, 1), 3, 4, bits=2, offsets=True), 1, 4),
            (unit((4, 3), BIPOLAR, 6, 12, bits=4, **BORDERS), 2, 4),
            (unit((4, 3), BIPOLAR, 3, 6, bits=8, offsets=True, **BORDERS), 3, 6),
            (unit((1, 2), BIPOLAR, 4, 8, bits=2), 4, 8),
            (unit((4, 3), SIGNED, 4, 6, bits=2, **BORDERS), 4, 2),
            (unit((4, 3), SIGNED, 4, 5, bits=4, offsets=True, **BORDERS), 2, 5),
            (unit((1, 3), UNSIGNED, 4, 6, bits=8), 4, 6),
            (unit((4, 3), UNSIGNED, 4, 6, bits=8, offsets=True, **BORDERS), 2, 1),
            (unit((2, 1), Element(3, 7), 2, 4, bits=4, offsets=True), 2, 1),
        ],
        lambda kernel, pe, simd: kernel.rtl(Folding(pe, simd)).parameters,
    ),
)
def test_rtl(kernel, pe, simd, tmp_path):
    prove(kernel, Folding(pe, simd), tmp_path)


@pytest.mark.rtl
@pytest.mark.parametrize("element", [BIPOLAR, SIGNED, UNSIGNED], ids=str)
def test_sums_of_few_bit_weights_that_equal_their_threshold(element, tmp_path):
    sums = unit((1, 2), element, 6, 4, bits=8, offsets=True)
    sums = replace(sums, offsets=np.zeros((1, 6), np.int64))
    frames = random_values(sums.inputs[0], FRAMES)
    # Neurons by turns meet their threshold at one vector, and miss it by one.
    thresholds = sums.reference(frames)[0][-1, 0, :1] + np.arange(6) % 2
    kernel = replace(sums, thresholds=thresholds, offsets=None)
    assert kernel.reference(frames)[0][-1, 0, 0].tolist() == [1, -1] * 3
    prove(kernel, Folding(2, 2), tmp_path)


@pytest.mark.rtl
@pytest.mark.parametrize("element", [BIPOLAR, SIGNED, UNSIGNED], ids=str)
def test_weights_of_zero_and_minus_one_are_not_bipolar(element, tmp_path):
    weights = np.array([[0, -1, 0], [0, 0, 0]], np.int8)
    kernel = Mvu((1, 2), element, weights, None, np.array([[0, 3]]), (0,), (0, 0))
    prove(kernel, Folding(1, 3), tmp_path)


@pytest.mark.parametrize(
    ("weights", "bits"),
    [([-1, 1], 1), ([-1, 0], 2), ([-2, 1], 2), ([0, 2], 3), ([-128, 127], 8), ([-127, 128], 9)],
)
def test_weights_are_as_narrow_as_they_can_be(weights, bits):
    row = np.array([weights], np.int16)
    kernel = Mvu((1, 1), BIPOLAR, row, None, np.zeros((1, 1), np.int64), (0,), (0,))
    instance = kernel.rtl(Folding(1, 2))
    assert instance.parameters["WEIGHT_BITS"] == bits
    assert instance.memories["WEIGHTS"].width == 2 * bits


def test_reference_is_exact_where_parts_of_a_sum_are_large():
    wide = 2**13  # weights cancel: whole sums are small, parts of them are beyond 2**24
    weights = np.where(np.arange(wide) < wide // 2, 127, -127).astype(np.int8)[None]
    element = Element(2**15 - 3, 2**15 - 1)
    kernel = Mvu((1, 1), element, weights, None, np.zeros((1, 1), np.int64), (0,), (0,))
    frames = random_values(kernel.inputs[0], FRAMES)
    exact = frames.reshape(FRAMES, -1) @ weights[0].astype(np.int64)
    assert kernel.reference(frames)[0].reshape(-1).tolist() == exact.tolist()


def test_thresholds_in_memory_stay_in_the_range_of_popcounts():
    kernel = unit((1, 1), BIPOLAR, 4, 10)
    image = kernel.rtl(Folding(1, 10)).memories["LEVELS"]
    levels = image.bits @ (1 << np.arange(image.width))
    levels -= (levels >> image.width - 1) << image.width  # two's complement
    # Always on is 0, never on is MW + 1; sum >= 0 is popcount >= 5, sum >= 1 is popcount >= 6.
    assert levels.tolist() == [0, -11, -5, -6]


def test_reference_by_hand():
    weights = np.array([[1, 1, -1], [-1, -1, -1]], np.int8)
    kernel = Mvu((1, 1), BIPOLAR, weights, np.array([[1, -1]]), None, (0,), (0,))
    frames = np.array([[1, 1, 1], [-1, 1, 1], [-1, -1, 1]]).reshape(-1, 1, 1, 3)
    # Sums: (1, -3), (-1, -1), (-3, 1); a sum equal to its threshold is +1.
    assert kernel.reference(frames)[0].reshape(-1, 2).tolist() == [[1, -1], [-1, 1], [-1, 1]]


def test_output_range_is_that_of_the_weights():
    weights = np.array([[1, 1, -1]], np.int8)
    kernel = Mvu((1, 1), UNSIGNED, weights, None, np.array([[10]]), (0,), (0,))
    assert kernel.outputs[0].element == Element(-245, 520)
    few_bit = replace(kernel, weights=np.array([[3, 0, -2]], np.int8))
    assert few_bit.outputs[0].element == Element(-500, 775)
    assert replace(few_bit, element=BIPOLAR).outputs[0].element == Element(5, 15)


def test_products_of_large_operands_take_dsp_slices():
    folding = Folding(2, 3)
    used = [
        unit((1, 1), element, 4, 6, bits=bits).resources(folding)
        for element, bits in [
            *((BIPOLAR, 1), (BIPOLAR, 8), (SIGNED, 1), (Element(-8, 7), 4)),
            *((SIGNED, 2), (SIGNED, 8)),  # products of nine bits and more
        ]
    ]
    assert [one.dsp for one in used] == [0, 0, 0, 0, folding.parallelism, folding.parallelism]
    assert used[0].lut < used[2].lut < used[3].lut


def test_alternatives_are_the_same_unit_of_other_parts():
    kernel, folding = unit((1, 2), BIPOLAR, 8, 64), Folding(8, 16)
    instance = kernel.rtl(folding)
    found = {}
    for other in kernel.alternatives(dsp48=True):
        made = other.rtl(folding)
        parts = {name: made.parameters[name] for name in ("WEIGHTS_IN_BLOCK", "SUMS_IN_DSP")}
        assert made.parameters == instance.parameters | parts
        assert all(
            np.array_equal(made.memories[n].bits, instance.memories[n].bits) for n in made.memories
        )
        found[tuple(parts.values())] = other.resources(folding)
    assert list(found) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [use.dsp for use in found.values()] == [0, 2, 0, 2]
    assert [use.bram36 for use in found.values()] == [0, 0, 2, 2]
    assert found[0, 0].lut - found[0, 1].lut == 8 * kernel.rtl(folding).parameters["SUM_BITS"]
    assert found[0, 0].lut > found[1, 0].lut
    assert [one.placement.sums_in_dsp for one in kernel.alternatives(dsp48=False)] == [False, False]


def test_parities_where_many_neurons_share_them():
    kernel = unit((1, 1), BIPOLAR, 32, 64)
    assert [kernel.parities(Folding(pe, 32)) for pe in (1, 4, 16, 32)] == [False, False, True, True]
    few = unit((1, 1), BIPOLAR, 32, 64, bits=2)
    assert not few.parities(Folding(32, 32))
    # Bits 2 and 5 hold the parity of three weights; bits 6 and 7 are the last weights.
    one = replace(kernel, weights=np.tile(np.array([1, -1, 1, 1, 1, 1, -1, 1], np.int8), (32, 1)))
    stored = replace(one, placement=Placement(parities=True)).rtl(Folding(1, 8)).memories["WEIGHTS"]
    assert stored.bits[0].tolist() == [1, 0, 0, 1, 1, 1, 0, 1]


def test_accumulators_of_a_slice():
    assert [slices(5, bits) for bits in (2, 12, 13, 24, 25, 48)] == [2, 2, 3, 3, 5, 5]
    with pytest.raises(ValueError, match="an accumulator of 49 bits does not fit a DSP slice"):
        slices(1, 49)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": np.zeros((1, 1))}, "weights must be integers, not float64"),
        ({"offsets": np.zeros((1, 1), np.int64)}, "either thresholds or offsets must be given"),
        ({"rows": (1,)}, r"border classes \(1,\) must rise from 0 by steps of 1"),
        (
            {"thresholds": np.zeros((2, 1), np.int64)},
            r"thresholds or offsets must have the shape \(1, 1\)",
        ),
    ],
)
def test_illegal_units_are_refused(change, message):
    legal = {
        "pixels": (1, 1),
        "element": BIPOLAR,
        "weights": np.ones((1, 1), np.int8),
        "thresholds": np.zeros((1, 1), np.int64),
        "offsets": None,
        "rows": (0,),
        "columns": (0,),
    }
    with pytest.raises(ValueError, match=message):
        Mvu(**(legal | change))
