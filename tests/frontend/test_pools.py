# SPDX-License-Identifier: BSD-3-Clause
"""Averages with pads, of bits, with Trunc behind them; max pools with a dilation."""

import numpy as np
import pytest

from bonn_hw.errors import UnsupportedModel
from tests.support.sketch import Sketch, agree, kernels, lowered


def begun(bits, *extents, scale=0.5, seed=0):
    """A frame of three channels, of few bits or of bits."""
    sketch = Sketch(3, *extents, seed=seed)
    return sketch.quant(bits, scale=scale) if bits else sketch.sign(scale)


def average(sketch, kernel, **given):
    return sketch.add("AveragePool", name="mean", kernel_shape=kernel, **given)


def classified(sketch, size):
    return sketch.flatten().dense(size, 3)


@pytest.mark.parametrize(("bits", "scale"), [(0, 0.3), (4, 0.5)])
@pytest.mark.parametrize(
    ("kernel", "strides", "pads", "pixels"),
    [
        ((3, 3), (1, 1), (1, 1, 1, 1), 30),
        ((2, 3), (2, 1), (1, 0, 0, 2), 18),
        ((2, 2), (2, 2), (0, 1, 1, 0), 9),
    ],
)
def test_averages_that_count_their_pads(bits, scale, kernel, strides, pads, pixels, tmp_path):
    sketch = begun(bits, 5, 6, scale=scale)
    average(sketch, kernel, strides=strides, pads=pads, count_include_pad=1).quant(5, scale=0.125)
    agree(classified(sketch, 3 * pixels), tmp_path, sketch.images(30, -9, 9, 0.5))


def test_an_average_of_a_sequence_with_pads(tmp_path):
    sketch = begun(4, 9)
    average(sketch, [3], strides=[2], pads=[1, 2], count_include_pad=1).quant(4, scale=0.25)
    agree(classified(sketch, 15), tmp_path, sketch.images(30, -9, 9, 0.5))


def test_bits_that_a_pad_surrounds_with_zeros_are_averaged(tmp_path):
    sketch = begun(0, 4, 4).pad((1, 0, 0, 1))
    average(sketch, (2, 2), strides=(1, 1)).quant(4, scale=0.125)
    agree(classified(sketch, 48), tmp_path, sketch.images(30, -9, 9, 0.5))


@pytest.mark.parametrize("mode", ["FLOOR", "ROUND"])
def test_a_truncated_average_with_pads(mode, tmp_path):
    """As Brevitas exports it: the average, times its pixels, truncated."""
    sketch = begun(4, 6, 6)
    given = {"strides": (2, 2), "pads": (1, 1, 1, 1), "count_include_pad": 1}
    average(sketch, (4, 4), **given).add("Mul", np.float32(16))
    sketch.trunc(0.5, 8, 4, rounding_mode=mode)
    agree(classified(sketch, 27), tmp_path, sketch.images(30, -9, 9, 0.5))


@pytest.mark.parametrize("bits", [0, 3])
@pytest.mark.parametrize("opset", [11, 17])
def test_dilated_max_pools(bits, opset, tmp_path):
    sketch = begun(bits, 7, 8)
    sketch.opset = opset
    sketch.pool((3, 2), (1, 2), dilations=(2, 3), pads=(1, 1, 2, 0))
    result = agree(classified(sketch, 3 * 6 * 3), tmp_path, sketch.images(30, -9, 9, 0.5))
    assert "copy_channels" in kernels(result)


def test_a_dilated_max_pool_of_sums(tmp_path):
    sketch = begun(3, 6, 6).conv(4, 3, (2, 2)).norm(4, 1)
    sketch.pool((2, 2), (1, 1), dilations=(1, 2)).sign()
    agree(classified(sketch, 4 * 4 * 3), tmp_path, sketch.images(30, -9, 9, 0.5))


def test_a_dilated_max_pool_of_a_sequence(tmp_path):
    sketch = begun(0, 9).pool([3], [2], dilations=[3])
    agree(classified(sketch, 6), tmp_path, sketch.images(30, -9, 9, 0.5))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"pads": (1, 1, 1, 1)},
            "averages windows with fewer pixels at the border, each with a divisor of its own; use "
            "count_include_pad=1 (in PyTorch count_include_pad=True)",
        ),
        (
            {"strides": (3, 3), "ceil_mode": 1},
            "averages windows that ceil_mode adds, which have fewer pixels than the others; use "
            "ceil_mode=0, or sizes that whole windows cover",
        ),
        (
            {"dilations": (2, 1)},
            "averages windows with a dilation of 2x1; use a dilation of 1",
        ),
    ],
)
def test_averages_that_are_refused(given, message, tmp_path):
    sketch = begun(4, 6, 6)
    sketch.opset = 19
    average(sketch, (2, 2), **given).quant(4)
    with pytest.raises(UnsupportedModel) as error:
        lowered(sketch.conv(2, 3, (1, 1)), tmp_path)
    assert str(error.value) == f"mean: {message}"


def test_pads_outside_the_range_of_the_input(tmp_path):
    sketch = Sketch(3, 6, 6).quant(4, signed=0, zero=-3.0)  # 3 to 18
    average(sketch, (2, 2), pads=(1, 1, 1, 1), count_include_pad=1).quant(4)
    agree(sketch.conv(2, 3, (1, 1)), tmp_path)
    sketch = Sketch(2, 4, 4).quant(4, signed=0, zero=-3.0)
    agree(sketch.few_bit_conv(2, 2, pads=(1, 0, 0, 2)), tmp_path)
