# SPDX-License-Identifier: BSD-3-Clause
"""Channels last: a Transpose before or behind the quantiser, QONNX's own domain, flat inputs."""

import numpy as np
import pytest

from bonn_hw import frontend
from bonn_hw.errors import UnsupportedModel
from tests.support.sketch import Sketch, agree, by_qonnx, kernels

TO_FIRST, TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)


@pytest.mark.parametrize("quantised_first", [True, False])
def test_a_transpose_at_the_input(tmp_path, quantised_first):
    sketch = Sketch(5, 4, 3, seed=1)
    if quantised_first:
        sketch.quant(4, scale=0.5).add("Transpose", perm=TO_FIRST)
    else:
        sketch.add("Transpose", perm=TO_FIRST).quant(4, scale=0.5)
    sketch.conv(4, 3, pads=[1] * 4).norm(4).sign().add("Transpose", perm=TO_LAST).flatten()
    result = agree(sketch.dense(80, 3), tmp_path)
    assert result.host.input_shape == (5, 4, 3)
    assert result.graph.tensors["input"].shape == (5, 4, 3)
    # Channels last are the stream's own order.
    if quantised_first:
        assert (result.host.encode_order.reshape(-1) == np.arange(60)).all()


def test_steps_between_the_quantiser_and_the_transpose(tmp_path):
    """Constants by channel are on the last axis there."""
    sketch = Sketch(4, 4, 3, seed=2).quant(4, scale=0.5).add("Mul", np.float32([1, 2, 4]))
    sketch.add("Add", np.float32(0.25)).quant(6, scale=0.25).add("Transpose", perm=TO_FIRST)
    agree(sketch.conv(2, 3).sign().flatten().dense(8, 3), tmp_path)


def test_a_flat_input_that_becomes_an_image(tmp_path):
    sketch = Sketch(32, seed=3).quant(4, scale=0.5).add("Reshape", np.array([1, 2, 4, 4]))
    agree(sketch.conv(3, 2).sign().flatten().dense(12, 3), tmp_path)


def network(last):
    """Conv, BatchNormalization and MaxPool, with a pool before its activation, in two layouts."""
    sketch = Sketch(*((7, 6, 2) if last else (2, 7, 6)), seed=4).quant(4, scale=0.5)

    def conv(*shape, pads):
        weights = sketch.signs(*shape)
        size = {"kernel_shape": shape[2:], "pads": [pads] * 4, "strides": (1, 1)}
        add("Conv", weights.transpose(0, 2, 3, 1) if last else weights, dilations=(1, 1), **size)

    def add(kind, *operands, **attributes):
        if last:
            sketch.channels_last(kind, *operands, **attributes)
        else:
            sketch.add(kind, *operands, **attributes)

    conv(4, 2, 3, 3, pads=1)
    norm = np.float32([[1, -2, 0.5, 3], [0.1, 0.2, -0.3, 0], [0, 1, 0, 2], [1, 4, 2, 0.5]])
    add("BatchNormalization", *norm, epsilon=1e-5, momentum=0.9)
    add("MaxPool", kernel_shape=(2, 2), strides=(2, 2), pads=[0] * 4, ceil_mode=0)
    sketch.add("Relu").quant(3, signed=0, scale=0.5)
    conv(3, 4, 2, 2, pads=0)
    return sketch


def test_channels_last_operators_of_qonnx(tmp_path):
    result = frontend.lower(frontend.read(network(last=True).write(tmp_path)))
    frames = network(last=False).images()
    integers = result.graph.run(result.host.encode(frames.transpose(TO_LAST)))
    expected = by_qonnx(network(last=False).proto(), frames)
    np.testing.assert_array_equal(result.host.decode(integers), expected.transpose(TO_LAST))
    other = frontend.lower(frontend.read(network(last=False).write(tmp_path)))
    assert kernels(result) == kernels(other)  # the layout costs nothing


@pytest.mark.parametrize("keepdims", [0, 1])
def test_keras_average_over_height_and_width(tmp_path, keepdims):
    sketch = Sketch(2, 4, 4, seed=6).quant(4, scale=0.5).conv(3, 2).add("Relu")
    sketch.quant(4, signed=0).add("Transpose", perm=TO_LAST)
    sketch.add("ReduceMean", axes=(1, 2), keepdims=keepdims).quant(6, scale=0.25)
    agree(sketch.flatten().dense(3, 2), tmp_path)


def test_outputs_in_channels_last(tmp_path):
    sketch = Sketch(2, 4, 4, seed=7).quant(4, scale=0.5).conv(3, 2).add("Transpose", perm=TO_LAST)
    sketch.add("Mul", np.float32([0.5, 1, 2]))
    result = agree(sketch, tmp_path)
    assert result.host.decode(np.zeros((1, 2, 2, 3), np.int64)).shape == (1, 2, 2, 3)


def test_a_height_as_channels_is_refused(tmp_path):
    """Exact or not at all: this Conv takes the rows for channels."""
    sketch = Sketch(3, 4, 3, seed=8).quant(4, scale=0.5).conv(2, 3).sign()
    sketch.add("Transpose", perm=(0, 2, 3, 1)).conv(2, 2, (1, 1), name="conv2").sign()
    with pytest.raises(UnsupportedModel, match="conv2: its input was transposed"):
        frontend.lower(frontend.read(sketch.flatten().dense(4, 2).write(tmp_path)))


def test_an_unknown_channels_last_operator(tmp_path):
    sketch = Sketch(4, 4, 2).quant(4).channels_last("AveragePool", name="pool", kernel_shape=(2, 2))
    with pytest.raises(UnsupportedModel, match="pool: operator AveragePool of qonnx"):
        frontend.read(sketch.write(tmp_path))
