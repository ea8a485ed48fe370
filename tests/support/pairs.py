# SPDX-License-Identifier: BSD-3-Clause
"""Models of two inputs, and their answers by qonnx."""

import numpy as np
from onnx import TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.infer_shapes import InferShapes

from tests.support.qonnx_sessions import execute_onnx
from tests.support.sketch import Sketch


class Pair(Sketch):
    """A model of two inputs, `x` and `other`."""

    def __init__(self, *shapes, seed=0, opset=17):
        super().__init__(*shapes[0], seed=seed, opset=opset)
        self.other = (1, *shapes[1])

    def proto(self):
        model = super().proto()
        model.graph.input.append(
            helper.make_tensor_value_info("other", TensorProto.FLOAT, self.other)
        )
        return model


def images(shape=(3, 5, 6), other=(2, 5, 6), scales=(0.5, 0.5), opset=17):
    """A convolution on each of two images, their difference, and a classifier."""
    sketch = Pair(shape, other, seed=3, opset=opset)
    ends = []
    for name, (channels, *_), scale in zip(("x", "other"), (shape, other), scales, strict=True):
        sketch.last = name
        sketch.quant(4, scale=scale).conv(4, channels).norm(4).quant(3, scale=0.5)
        ends.append(sketch.last)
    sketch._behind("Sub", ends, "difference").quant(4, scale=0.5).flatten()
    return sketch.dense(4 * (shape[1] - 2) * (shape[2] - 2), 3, "last")


def separately(sketch, frames):
    """The answers of the file's own two inputs, by qonnx."""
    count = sketch.shape[1]
    wrapper = ModelWrapper(sketch.proto()).transform(InferShapes())
    exit_ = wrapper.graph.output[0].name
    parts = ({"x": one[None, :count], "other": one[None, count:]} for one in frames)
    return np.concatenate([execute_onnx(wrapper, given)[exit_] for given in parts])


def drawn(sketch, count):
    shape = (sketch.shape[1] + sketch.other[1], *sketch.shape[2:])
    values = np.random.default_rng(0).integers(-20, 21, (count, *shape)) * 0.25
    return values.astype(np.float32)
