# SPDX-License-Identifier: BSD-3-Clause
"""Transposed convolutions, channels that become pixels, and the reverse."""

import numpy as np
import pytest

from bonn_hw.errors import UnsupportedModel
from tests.support.sketch import Sketch, agree, kernels, lowered


def begun(bits, *extents, channels=2, scale=0.5, seed=0):
    sketch = Sketch(channels, *extents, seed=seed)
    return sketch.quant(bits, scale=scale) if bits else sketch.sign(scale)


def transposed(sketch, inputs, outputs, kernel, few=0, bias=False, **given):
    """Weights are bits where they have no number of bits."""
    shape = (inputs, outputs, *kernel)
    weights = sketch.few_bit(*shape, bits=few) if few else sketch.constant(sketch.signs(*shape))
    operands = [sketch.last, weights]
    if bias:
        total = outputs * given.get("group", 1)
        operands.append(sketch.constant(sketch.random.normal(0, 1, total).astype(np.float32)))
    return sketch._behind("ConvTranspose", operands, "up", kernel_shape=kernel, **given)


@pytest.mark.parametrize("bits", [0, 4])
@pytest.mark.parametrize(
    ("kernel", "given", "few"),
    [
        ((2, 2), {"strides": (2, 2)}, 0),
        ((3, 3), {"strides": (2, 2), "pads": (1, 1, 1, 1)}, 4),  # the last row and column are cut
        ((4, 4), {"strides": (2, 2), "pads": (1, 1, 1, 1)}, 0),
        ((3, 3), {"strides": (2, 2), "pads": (1, 1, 1, 1), "output_padding": (1, 1)}, 0),
        ((3, 2), {"strides": (1, 3), "pads": (0, 1, 2, 0)}, 2),  # phases without a tap
        ((3, 5), {"strides": (3, 1), "pads": (1, 2, 0, 2), "dilations": (2, 1)}, 0),
        ((1, 1), {"strides": (2, 2), "pads": (3, 0, 2, 0)}, 0),  # the output ends before the input
    ],
)
def test_transposed_convolutions(bits, kernel, given, few, tmp_path):
    sketch = begun(bits, 4, 5)
    transposed(sketch, 2, 3, kernel, few, bias=bool(few), **given).norm(3, 2).quant(4, scale=0.5)
    sketch.conv(2, 3, (1, 1))
    agree(sketch, tmp_path, sketch.images(20, -9, 9, 0.5))


@pytest.mark.parametrize(("group", "own"), [(2, 2), (4, 1)])
def test_groups(group, own, tmp_path):
    sketch = begun(3, 3, 4, channels=4)
    transposed(sketch, 4, own, (2, 3), 3, group=group, strides=(2, 2)).norm(group * own, 2).sign()
    sketch.conv(2, group * own, (1, 1))
    agree(sketch, tmp_path, sketch.images(20, -9, 9, 0.5))


def test_a_sequence_and_two_in_a_row(tmp_path):
    sketch = begun(0, 5)
    transposed(sketch, 2, 3, [4], strides=[2], pads=[1, 1]).norm(3, 2).sign()
    transposed(sketch, 3, 2, [3], strides=[3]).norm(2, 2).quant(3)
    sketch.conv(2, 2, [1])
    agree(sketch, tmp_path, sketch.images(20, -9, 9, 0.5))


def test_a_transposed_convolution_is_the_output(tmp_path):
    sketch = begun(4, 3, 3, scale=0.3)
    transposed(sketch, 2, 3, (2, 2), 4, bias=True, strides=(2, 2))
    lowered(sketch, tmp_path)


def shuffled(bits, mode, size=2, few=3):
    sketch = begun(bits, 3, 4).conv(2 * size * size, 2, (1, 1), scale=0.3)
    if few:
        sketch.norm(2 * size * size, 1)
        sketch.quant(few)
    sketch.add("DepthToSpace", blocksize=size, mode=mode)
    if not few:
        sketch.norm(2, 1).sign()
    return sketch.conv(2, 2, (2, 2))


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
@pytest.mark.parametrize(("bits", "few"), [(0, 3), (4, 0)])
def test_channels_become_pixels(mode, bits, few, tmp_path):
    sketch = shuffled(bits, mode, few=few)
    result = agree(sketch, tmp_path, sketch.images(20, -9, 9, 0.5))
    assert "depth_to_space" in kernels(result)
    assert ("copy_channels" in kernels(result)) == (mode == "CRD")


@pytest.mark.parametrize("bits", [0, 4])
def test_pixels_become_channels(bits, tmp_path):
    sketch = begun(bits, 4, 6).add("SpaceToDepth", blocksize=2).conv(3, 8, (2, 2)).norm(3, 1).sign()
    sketch.conv(2, 3, (1, 1))
    agree(sketch, tmp_path, sketch.images(20, -9, 9, 0.5))


def test_the_host_moves_channels_at_the_end(tmp_path):
    sketch = begun(4, 3, 4).conv(8, 2, (1, 1)).add("DepthToSpace", blocksize=2)
    assert "depth_to_space" not in kernels(agree(sketch, tmp_path, sketch.images(20, -9, 9, 0.5)))


def test_scales_that_differ_between_the_channels_of_a_block(tmp_path):
    sketch = begun(4, 3, 4)
    weights = (
        sketch.signs(8, 2, 1, 1) * np.linspace(0.3, 0.9, 8, dtype=np.float32)[:, None, None, None]
    )
    sketch.add("Conv", weights, name="conv").add("DepthToSpace", name="pixels", blocksize=2)
    with pytest.raises(UnsupportedModel) as error:
        lowered(sketch.sign().conv(2, 2, (1, 1)), tmp_path)
    assert str(error.value).startswith("pixels: its input, from conv, has 8 scales")


@pytest.mark.parametrize("zero", [-3.0, 9.0])  # integers of 3 to 18, and of -9 to 6
def test_zeros_outside_the_range_of_the_input(zero, tmp_path):
    sketch = Sketch(2, 4, 4).quant(4, signed=0, zero=zero)
    agree(transposed(sketch, 2, 3, (3, 3), strides=(2, 2)), tmp_path)


@pytest.mark.parametrize(
    ("given", "bits", "message"),
    [
        (
            {"auto_pad": "SAME_UPPER", "strides": (2, 2)},
            {"bits": 4},
            "a ConvTranspose with output_shape or auto_pad is not supported; give pads and "
            "output_padding",
        ),
        (
            {"dilations": (16, 1)},
            {"bits": 4},
            "a kernel of 33x3, dilation included, is too large; at most 31x31",
        ),
    ],
)
def test_what_is_refused(given, bits, message, tmp_path):
    sketch = Sketch(2, 4, 4).quant(**bits)
    transposed(sketch, 2, 3, (3, 3), **given)
    with pytest.raises(UnsupportedModel) as error:
        lowered(sketch, tmp_path)
    assert str(error.value) == f"up: {message}"
