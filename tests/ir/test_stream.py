# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonn_hw.ir.stream import pack, unpack, words_a_beat
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType


@st.composite
def elements(draw):
    if draw(st.booleans()):
        return BIPOLAR
    low = draw(st.integers(-3000, 3000))
    return Element(low, low + draw(st.integers(0, 5000)))


@given(elements(), st.integers(1, 70), st.integers(1, 5), st.randoms(use_true_random=False))
def test_unpack_is_the_inverse_of_pack(element, lanes, beats, random):
    values = np.array([random.randint(element.low, element.high) for _ in range(lanes * beats)])
    if element.bipolar:
        values = np.where(values > 0, 1, -1)
    words = pack(values, lanes, element)
    assert words.shape == (beats, words_a_beat(lanes, element))
    np.testing.assert_array_equal(unpack(words, lanes, element), values)


def test_element_zero_is_lowest_and_plus_one_is_a_set_bit():
    assert pack(np.array([1, -1, -1, 1, 1]), 5, BIPOLAR).tolist() == [[0b11001]]


def test_integers_are_in_twos_complement():
    assert pack(np.array([-1, 2]), 2, Element(-4, 3)).tolist() == [[0b010_111]]


@pytest.mark.parametrize(
    ("element", "bits"),
    [
        (BIPOLAR, 1),
        (Element(0, 1), 1),
        (Element(0, 0), 1),
        (Element(0, 255), 8),
        (Element(-128, 127), 8),
        (Element(-129, 0), 9),
        (Element(-1, 128), 9),
        (Element(-1, -1), 1),
    ],
)
def test_bits_of_an_element(element, bits):
    assert element.bits == bits


@pytest.mark.parametrize(
    ("element", "values", "word"),
    [(Element(0, 3), [3, 2, 1, 0], 0b00_01_10_11), (Element(0, 255), [255, 128], 0x80FF)],
)
def test_integers_from_zero_have_no_sign(element, values, word):
    beats = pack(np.array(values), len(values), element)
    assert beats.tolist() == [[word]]
    assert unpack(beats, len(values), element).tolist() == values


def test_codes_have_no_more_bits_than_their_element():
    assert Element(-4, 3).encode(np.array([-1, 3])).tolist() == [0b111, 0b011]


def test_an_element_holds_what_is_in_its_range_and_nothing_else():
    for values, held in (([], 1), ([7], 0), ([-5], 0), ([0, 7], 0), ([-5, 0], 0), ([-4, 3], 1)):
        assert Element(-4, 3).holds(np.array(values)) == bool(held)


@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 1, 1), (0, 1, 1), (1, 1, -1)])
def test_a_shape_has_three_positive_sizes(shape):
    with pytest.raises(ValueError, match="a tensor has a positive shape"):
        TensorType(shape, BIPOLAR)
