# SPDX-License-Identifier: BSD-3-Clause
"""Several inputs are one, whose channels are theirs side by side."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from bonn_hw import frontend, pipeline, verification
from bonn_hw.boards import board
from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend import inputs
from tests.support.pairs import Pair, drawn, images, separately
from tests.support.sketch import kernels


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


@pytest.mark.parametrize(
    ("batches", "found"), [((1, 2), None), ((0, 2), 2), ((1, 1), 1), ((0, 0), 0)]
)
def test_batches_of_several_inputs(batches, found):
    entries = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch or None, channels, 5, 6])
        for name, batch, channels in zip("ab", batches, (3, 4), strict=True)
    ]
    if found is None:
        with pytest.raises(UnsupportedModel, match="the model has 2 inputs"):
            inputs.joined(entries, ())
        return
    assert inputs.extents_of(inputs.joined(entries, ())) == [found, 7, 5, 6]
