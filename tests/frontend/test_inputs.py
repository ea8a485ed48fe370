# SPDX-License-Identifier: BSD-3-Clause
"""Several inputs are one, whose channels are theirs side by side."""

import numpy as np
import pytest
from onnx import TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from bonn_hw import frontend, pipeline, verification
from bonn_hw.boards import board
from bonn_hw.errors import UnsupportedModel
from tests.support.sketch import Sketch, kernels


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


@pytest.mark.parametrize("opset", [11, 17])
def test_two_images_that_join(opset, tmp_path):
    sketch = images(opset=opset)
    frames = drawn(sketch, 12)
    model = frontend.read(sketch.write(tmp_path))
    result = frontend.lower(model)
    assert model.shapes[model.input] == (5, 5, 6)
    ours = result.host.decode(result.graph.check().run(result.host.encode(frames)))
    np.testing.assert_array_equal(ours, separately(sketch, frames))
    assert kernels(result).count("mvu") == 3


def test_two_vectors_of_bits(tmp_path):
    sketch = Pair((6,), (4,), seed=1)
    products = []
    for name, wide in (("x", 6), ("other", 4)):
        sketch.last = name
        products.append(sketch.sign(0.5).dense(wide, 5).quant(4).last)
    sketch._behind("Max", products, "larger").dense(5, 2, "last")
    frames = drawn(sketch, 12)
    result = frontend.lower(frontend.read(sketch.write(tmp_path)))
    ours = result.host.decode(result.graph.check().run(result.host.encode(frames)))
    np.testing.assert_array_equal(ours, separately(sketch, frames))


@pytest.mark.rtl
def test_rtl(tmp_path):
    sketch = images()
    target = pipeline.Target(board("pynq-z2"), 100.0, 50_000)
    pipeline.compile_model(sketch.write(tmp_path), target, tmp_path / "build")
    build, frames = pipeline.Build.load(tmp_path / "build"), drawn(sketch, 4)
    for stall in (None, 1):
        answers = verification.simulate(build, frames, stall=stall)
        np.testing.assert_array_equal(answers.rtl, answers.integer)
        np.testing.assert_array_equal(answers.y, separately(sketch, frames))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            lambda: images(scales=(0.5, 0.25)),
            "the inputs 'x', 'other' are not quantised alike: put quantisers of the same scale and "
            "width directly behind all of them (QuantIdentity in Brevitas), or state the values of "
            "the inputs, for example with --input uint8/255",
        ),
        (
            lambda: images(other=(2, 6, 6)),
            "the model has 2 inputs (x (3, 5, 6), other (2, 6, 6)); several are supported if they "
            "differ in their channels only: give them one height and width",
        ),
    ],
)
def test_inputs_that_do_not_go_together(network, message, tmp_path):
    with pytest.raises(UnsupportedModel) as error:
        frontend.read(network().write(tmp_path))
    assert str(error.value) == message


def test_inputs_without_a_quantiser_whose_values_are_stated(tmp_path):
    sketch = images()
    proto = sketch.proto()
    for node in [one for one in proto.graph.node if one.input[0] in ("x", "other")]:
        following = next(one for one in proto.graph.node if node.output[0] in one.input)
        following.input[0] = node.input[0]
        proto.graph.node.remove(node)
    path = tmp_path / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    grid = frontend.StatedGrid.parse("int4*0.5")
    result = frontend.lower(frontend.read(path, (), grid))
    frames = np.clip(np.rint(drawn(sketch, 6) * 2), -8, 7).astype(np.float32) / 2
    ours = result.host.decode(result.graph.run(result.host.encode(frames)))
    np.testing.assert_array_equal(ours, separately(sketch, frames))


def test_an_input_of_the_same_name_and_one_that_nothing_uses(tmp_path):
    sketch = images()
    proto = sketch.proto()
    for node in proto.graph.node:
        node.input[:] = ["inputs" if name == "x" else name for name in node.input]
    proto.graph.input[0].name = "inputs"
    unused = proto.graph.input.add()
    unused.CopyFrom(proto.graph.input[1])
    unused.name = "unused"
    path = tmp_path / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    model, frames = frontend.read(path), drawn(sketch, 3)
    assert model.input == "inputs_"
    result = frontend.lower(model)
    ours = result.host.decode(result.graph.run(result.host.encode(frames)))
    np.testing.assert_array_equal(ours, separately(sketch, frames))


def test_channels_that_are_not_known(tmp_path):
    proto = images().proto()
    proto.graph.input[1].type.tensor_type.shape.dim[1].dim_param = "C"
    path = tmp_path / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(
        UnsupportedModel, match=r"the input 'other' has the shape .1, 0, 5, 6.: all"
    ):
        frontend.read(path)
