# SPDX-License-Identifier: BSD-3-Clause
"""Integers and bits that no quantiser states: on a common grid, as weights, from signs."""

import numpy as np
import pytest

from bonn_hw.errors import UnsupportedModel
from tests.support.sketch import Sketch, agree, kernels, lowered


def bits(*shape, **given):
    sketch = Sketch(*shape, **given)
    sketch.annotation = "BIPOLAR"
    return sketch


def images(sketch):
    return sketch.random.choice([-1, 1], (6, *sketch.shape[1:])).astype(np.float32)


# Values on one grid.


@pytest.mark.parametrize("shape", [(5,), (2, 4, 4)])
def test_bits_as_zero_and_one(shape, tmp_path):
    """As in FINN's network for UNSW-NB15."""
    sketch = bits(*shape).add("Add", np.float32([1.0])).add("Div", np.float32(2))
    sketch = sketch.conv(3, 2, pads=[1] * 4).sign().flatten() if len(shape) > 1 else sketch
    size = 48 if len(shape) > 1 else 5
    result = agree(sketch.few_bit_dense(size, 3), tmp_path, images(sketch))
    element = result.graph.tensors["requantize_0_out"].element
    assert (element.low, element.high) == (0, 1)


def test_integers_with_an_offset(tmp_path):
    sketch = Sketch(4).quant(3).add("Add", np.float32(2)).dense(4, 3).sign(0.5)
    sketch.add("Mul", np.float32(3)).add("Add", np.float32(1)).dense(3, 2)  # -0.5, 2.5
    agree(sketch, tmp_path)


def test_whole_numbers_by_an_operator(tmp_path):
    sketch = Sketch(4).quant(3).dense(4, 3).add("Div", np.float32(4)).add("Floor")
    agree(sketch.add("Clip", np.float32(-2), np.float32(1)).dense(3, 2), tmp_path)


def test_a_grid_that_differs_from_channel_to_channel(tmp_path):
    factors = np.float32([1, 2, 3])
    agree(Sketch(4).quant(3).dense(4, 3).add("Mul", factors).few_bit_dense(3, 2), tmp_path)


def test_values_without_a_grid(tmp_path):
    sketch = Sketch(5).quant(4).dense(5, 4, "fc1").norm(4).add("Relu").dense(4, 2, "fc2")
    with pytest.raises(UnsupportedModel, match="neither 1-bit nor multiples of one scale"):
        lowered(sketch, tmp_path)


@pytest.mark.parametrize("pads", [0, 1])
def test_zeros_around_bits_before_other_operators(pads, tmp_path):
    sketch = bits(2, 4, 4).pad([1] * 4)
    sketch.quant(3, scale=0.5).add("Add", np.float32(1))  # the border becomes 1
    agree(sketch.few_bit_conv(3, 2, pads=[pads] * 4).flatten(), tmp_path, images(sketch))


def test_zeros_around_bits_as_zero_and_one_have_no_place(tmp_path):
    sketch = bits(2, 4, 4).pad([1] * 4, name="border")
    sketch.add("Add", np.float32(1)).add("Div", np.float32(2))
    with pytest.raises(UnsupportedModel, match=r"pads with 0\.5, which is not supported"):
        lowered(sketch.few_bit_conv(3, 2), tmp_path)


# Quantisers of bits.


@pytest.mark.parametrize("narrow", [0, 1])
def test_a_quantiser_that_keeps_bits(narrow, tmp_path):
    sketch = bits(5).dense(5, 4).sign().quant(2, narrow=narrow).dense(4, 2)
    assert kernels(agree(sketch, tmp_path, images(sketch))) == ["mvu", "mvu"]


def test_a_quantiser_that_changes_bits(tmp_path):
    sketch = bits(5).dense(5, 4).sign(3.0).quant(2, signed=0).dense(4, 2)
    assert kernels(agree(sketch, tmp_path, images(sketch))) == ["mvu", "requantize", "mvu"]


def fork(second):
    sketch = bits(2, 4, 4).conv(2, 2, pads=[1] * 4).sign()
    entry = sketch.last
    sketch.conv(2, 2, pads=[1] * 4).norm(2).sign()
    sketch = sketch.quant(2) if second else sketch
    return sketch.join(entry, "sum")


@pytest.mark.parametrize("second", [False, True])
def test_sums_of_bits(second, tmp_path):
    sketch = fork(second).flatten().few_bit_dense(32, 3)
    result = agree(sketch, tmp_path, images(sketch))
    assert kernels(result).count("requantize") == 2  # bits to integers, in both branches


def test_a_sum_of_bits_with_integers(tmp_path):
    sketch = Sketch(5).quant(4)
    entry = sketch.last
    sketch.dense(5, 5).sign().join(entry)
    agree(sketch.dense(5, 2), tmp_path)


@pytest.mark.parametrize("pool", ["AveragePool", "GlobalAveragePool"])
def test_averages_of_bits(pool, tmp_path):
    given = {"kernel_shape": (2, 2), "strides": (2, 2)} if pool == "AveragePool" else {}
    sketch = bits(2, 4, 4).conv(3, 2, pads=[1] * 4).sign(0.5).add(pool, **given).flatten()
    agree(sketch.few_bit_dense(12 if given else 3, 2), tmp_path, images(sketch))


# Weights.


@pytest.mark.parametrize("levels", [[-1, 0, 1], [-0.3, 0, 0.3], [-3, -1, 1, 3], [-2, 5, 9]])
def test_weights_of_a_few_levels(levels, tmp_path):
    sketch = Sketch(2, 4, 4).quant(4)
    weights = sketch.random.choice(levels, (3, 2, 3, 3)).astype(np.float32)
    sketch.add("Conv", weights).sign().flatten()
    matrix = sketch.random.choice(levels, (12, 2)).astype(np.float32)
    agree(sketch.add("MatMul", matrix), tmp_path)


def test_weights_with_a_scale_for_each_channel(tmp_path):
    sketch = Sketch(6).quant(4)
    signs = sketch.random.choice([-1, 0, 1], (6, 3))
    matrix = signs * np.array([0.25, 0.123456, 0.7654321])
    agree(sketch.add("MatMul", matrix.astype(np.float32)), tmp_path)


def test_weights_of_which_a_channel_is_zero(tmp_path):
    matrix = np.float32([[0, 1], [0, -1], [0, 1]])
    agree(Sketch(3).quant(4).add("MatMul", matrix).sign().dense(2, 2), tmp_path)


# Sign.


def test_a_sign_between_layers(tmp_path):
    sketch = bits(4).dense(4, 3).add("Sign").dense(3, 2)
    element = agree(sketch, tmp_path, images(sketch)).graph.tensors["requantize_0_out"].element
    assert (element.low, element.high) == (-1, 1)  # the sign of zero is zero


def test_a_sign_behind_a_norm(tmp_path):
    sketch = bits(2, 4, 4).conv(3, 2).norm(3).add("Sign").pool().flatten().dense(3, 2)
    assert "requantize" not in kernels(agree(sketch, tmp_path, images(sketch)))


def test_a_sign_of_the_input(tmp_path):
    sketch = Sketch(2, 4, 4).add("Sub", np.float32(3)).add("Sign").conv(3, 2).sign()
    element = agree(sketch.flatten().dense(12, 2), tmp_path).host.element
    assert (element.low, element.high, element.bipolar) == (-1, 1, False)


@pytest.mark.parametrize("ends", [None, (1.0, -1.0), (0.5, 2.0)])
def test_a_comparison_of_the_input(ends, tmp_path):
    sketch = Sketch(5).add("Greater", np.float32(3))
    if ends is None:
        sketch.add("Cast", to=1)
    else:
        sketch.add("Where", *(np.float32(end) for end in ends))
    element = agree(sketch.dense(5, 3), tmp_path).host.element
    expected = {None: (0, 1, False), (1.0, -1.0): (-1, 1, True), (0.5, 2.0): (1, 4, False)}
    assert (element.low, element.high, element.bipolar) == expected[ends]
