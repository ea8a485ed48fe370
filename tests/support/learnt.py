# SPDX-License-Identifier: BSD-3-Clause
"""Small networks with learnt scales, as Brevitas gives them, and some with powers of two."""

import numpy as np
from onnx import helper

from tests.support.sketch import Sketch


def gemm(sketch, inputs, outputs, name, scale):
    weights, bias = sketch.signs(outputs, inputs), sketch.random.normal(0, 1, outputs)
    parameters = (weights * np.float32(scale), bias.astype(np.float32))
    return sketch.add("Gemm", *parameters, name=name, transB=1)


def bits():
    """Padded convolutions of bits, with strides and pools."""
    sketch = Sketch(2, 7, 6, seed=1).quant(8, scale=0.017)
    sketch.conv(5, 2, pads=[1] * 4, scale=0.3, name="conv1").norm(5, 1).sign(0.7)
    sketch.conv(4, 5, (3, 2), pads=[1, 1, 1, 0], strides=[2, 1], scale=0.2, name="conv2")
    sketch.norm(4, 0.5, gamma=[1, -1, 0.5, -2]).sign(0.6).pool((2, 2), (2, 2)).flatten()
    return gemm(sketch, 4 * 2 * 3, 3, "last", 0.1)


def few_bits():
    """Few-bit weights and activations; overlapping pools."""
    sketch = Sketch(2, 6, 6, seed=2).quant(4, scale=0.13)
    sketch.few_bit_conv(5, 2, name="conv1", scale=0.07, pads=[1] * 4).norm(5, 1).add("Relu")
    sketch.quant(3, signed=0, scale=0.21).pool((3, 3), (2, 2), pads=[1, 0, 0, 1]).flatten()
    sketch.few_bit_dense(45, 6, "fc1", scale=0.11).quant(4, scale=0.9)
    return sketch.few_bit_dense(6, 3, "last", scale=0.5)


def residual():
    """A block whose branches are added, then averaged."""
    sketch = Sketch(3, 6, 6, seed=3).quant(4, scale=0.3)
    entry = sketch.last
    sketch.few_bit_conv(3, 3, name="conv1", pads=[1] * 4, scale=0.17).norm(3, 1).quant(4, scale=0.3)
    sketch.join(entry, "sum").quant(4, scale=0.5)
    sketch.add("AveragePool", name="mean", kernel_shape=(3, 2), strides=(3, 2)).quant(5, scale=0.2)
    return sketch.flatten().few_bit_dense(3 * 2 * 3, 4, "last", scale=0.3)


def moved():
    """A pool before the activation, an explicit Pad, a Resize, a Transpose."""
    sketch = Sketch(2, 6, 5, seed=4).quant(4, scale=0.5).conv(4, 2, name="conv1", scale=0.3)
    sketch.norm(4, 1, gamma=[1, -1, 2, -0.5]).pool((2, 2), (1, 1)).sign()
    sketch.conv(4, 4, (1, 1), name="conv1b").sign().pad((1, 0, 0, 3), 0.0)
    sketch.conv(3, 4, (2, 3), name="conv2").sign().add(
        "Resize",
        np.zeros(0, np.float32),
        np.array([1, 1, 2, 1], np.float32),
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    sketch.pad((0, 1, 1, 0), -1.0).add("Transpose", perm=[0, 2, 3, 1]).flatten()
    return sketch.dense(3 * 7 * 4, 3, "last", scale=0.7)


def selected():
    """Merged filters (Gather), a threshold kernel behind a pool, a bias by channel, Softmax."""
    sketch = Sketch(3, 5, 6, seed=5).sign()
    sketch.conv(4, 3, name="conv1", pads=[0, 1, 1, 0]).add("Gather", np.array([3, 0, 1, 1]), axis=1)
    sketch.add("Mul", np.array([0.3, -0.2, 1.0, 0.7], np.float32).reshape(4, 1, 1))
    sketch.pool((2, 2), (2, 2)).add("Sub", np.float32(0.4)).sign().flatten()
    return gemm(sketch, 4 * 2 * 2, 5, "fc1", 1.0).sign().dense(5, 3, "last").add("Softmax", axis=1)


def pooled_twice():
    """Two pools of the sums of one layer."""
    sketch = Sketch(2, 7, 6, seed=7).quant(3, scale=0.5).conv(4, 2, (2, 2), name="conv1", scale=0.3)
    sketch.norm(4, 1).pool((2, 2), (2, 1)).pool((2, 2), (1, 2)).sign().flatten()
    return sketch.dense(16, 3, "last", scale=0.3)


def quantisers():
    """Zero points, narrow and unsigned ranges, floor, an old operator set, a border of one side."""
    sketch = Sketch(2, 5, 5, seed=6, opset=9).quant(5, signed=0, scale=0.3, zero=7)
    sketch.few_bit_conv(3, 2, (2, 3), name="conv1", bits=3, scale=0.4, pads=[1, 0, 0, 2])
    sketch.quant(3, scale=2.1, narrow=1, rounding_mode="FLOOR")
    sketch.pool((2, 2), (1, 2))
    sketch.flatten().few_bit_dense(24, 4, "fc1").sign(0.5)
    return gemm(sketch, 4, 3, "last", 0.25)


def forms():
    """Quantisers as other exporters write them, and weights without one."""
    sketch = Sketch(2, 5, 5, seed=8, domain="finn.custom_op.general").qdq(0.5, np.uint8(9), (2, 15))
    integers = sketch.random.integers(-8, 8, (3, 2, 3, 3)).astype(np.int8)
    names = [
        sketch.constant(one) for one in (integers, np.float32([0.5, 1, 0.25]), np.zeros(3, np.int8))
    ]
    sketch.nodes.append(helper.make_node("DequantizeLinear", names, ["weights"], axis=0))
    sketch._behind("Conv", [sketch.last, "weights"], "conv1", pads=[1] * 4)
    sketch.quant(6, scale=1.5, zero=8.0, rounding_mode="HALF_UP")
    sketch.trunc(1.5, 6, 4, 6.0, zero=8.0, rounding_mode="UP")
    sketch.conv(4, 3, name="conv2")
    limits = np.sort(sketch.random.integers(-30, 30, (4, 5)), axis=1) * 6
    sketch.thresholds(limits, 0.5, -1.5).flatten()
    weights = sketch.random.choice([-0.3, 0, 0.3], (36, 3)).astype(np.float32)
    return sketch.add("MatMul", weights, name="last")


def joined():
    """A slice of the channels, a split, and both put together again."""
    sketch = Sketch(3, 4, 4, seed=9).quant(4, scale=0.5)
    sketch.conv(5, 3, (2, 2), name="conv1", scale=0.5).norm(5, 1).quant(3, scale=0.5)
    entry = sketch.last
    ends = [np.array([value], np.int64) for value in (1, 4, 1)]
    sketch.add("Slice", *ends).conv(4, 3, (1, 1), name="conv2").norm(4, 1).quant(3, scale=0.5)
    sketch._behind("Concat", [sketch.last, entry], "both", axis=1).flatten()
    return sketch.dense(9 * 9, 3, "last")


def pools():
    """An average that counts its pads, and a dilated maximum."""
    sketch = Sketch(2, 5, 6, seed=10).quant(4, scale=0.5)
    sketch.pool((2, 3), (1, 1), dilations=(2, 1), pads=(0, 1, 1, 0))
    sketch.add("AveragePool", kernel_shape=(2, 3), pads=(1, 0, 0, 2), count_include_pad=1)
    sketch.quant(5, scale=0.25).flatten()
    return sketch.dense(2 * 4 * 5, 3, "last")


def combined():
    """A gate for each channel, and a difference."""
    sketch = Sketch(2, 3, 4, seed=11).quant(4, scale=0.3)
    frame = sketch.last
    sketch.add("GlobalAveragePool").quant(3, signed=0, scale=0.25)
    sketch._behind("Mul", [frame, sketch.last], "gate").quant(4, scale=0.3)
    sketch._behind("Sub", [sketch.last, frame], "rest").quant(4, scale=0.3).flatten()
    return sketch.dense(24, 3, "last")


def enlarged():
    """A transposed convolution that is cut, channels to pixels and back."""
    sketch = Sketch(2, 3, 4, seed=14).sign()
    weights = sketch.signs(2, 8, 4, 3)
    given = {"strides": (2, 3), "pads": (1, 0, 1, 2)}
    sketch.add("ConvTranspose", weights, name="up", **given).norm(8, 2).sign()
    sketch.add("DepthToSpace", blocksize=2, mode="CRD").conv(3, 2, (1, 3)).norm(3, 1).quant(3)
    sketch.add("SpaceToDepth", blocksize=2).flatten()
    return sketch.dense(3 * 12 * 18, 3, "last")


NETWORKS = {
    one.__name__: one
    for one in (
        *(bits, few_bits, residual, moved, selected, pooled_twice, quantisers, forms, joined),
        *(pools, combined, enlarged),
    )
}
