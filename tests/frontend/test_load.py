# SPDX-License-Identifier: BSD-3-Clause
"""Model files are data: whatever they hold ends in a model or in one message."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from bonn_hw import frontend
from bonn_hw.errors import UserError
from tests.support.sketch import Sketch


@pytest.fixture
def proto():
    sketch = Sketch(2, 6, 6, seed=1).quant(4).conv(3, 2, pads=[1, 1, 1, 1]).norm(3).sign()
    return sketch.pool().flatten().dense(27, 3).proto()


def attempt(proto, folder):
    """Read and lower; return the message, or "" where the model is taken."""
    path = folder / "model.onnx"
    path.write_bytes(proto if isinstance(proto, bytes) else proto.SerializeToString())
    try:
        frontend.lower(frontend.read(path))
    except UserError as error:
        return str(error)
    return ""


def behind(proto, node, *arrays):
    """Let a node compute the last layer's weights."""
    for name, value in arrays:
        proto.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    proto.graph.node.insert(0, node)
    proto.graph.node[-1].input[1] = node.output[0]
    return proto


def test_a_loop_is_never_run(proto, tmp_path):
    value = helper.make_tensor_value_info("v", TensorProto.FLOAT, [27, 3])
    turn = helper.make_tensor_value_info("i", TensorProto.INT64, [])
    go, on = (helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("c", "d"))
    same = helper.make_tensor_value_info("w", TensorProto.FLOAT, [27, 3])
    steps = [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Identity", ["v"], ["w"])]
    body = helper.make_graph(steps, "body", [turn, go, value], [on, same])
    node = helper.make_node("Loop", ["trip", "cond", "start"], ["made"], "endless", body=body)
    start = np.ones((27, 3), np.float32)
    model = behind(proto, node, ("trip", 2**62), ("cond", True), ("start", start))
    assert attempt(model, tmp_path).startswith("endless: operator Loop is not supported")


@pytest.mark.parametrize(
    ("kind", "arrays"),
    [
        ("ConstantOfShape", [np.array([2**20, 2**18])]),
        ("Add", [np.ones((2**15, 1), np.float32), np.ones((1, 2**15), np.float32)]),
        ("Range", [np.float32(0), np.float32(1e10), np.float32(1)]),
        ("Expand", [np.float32(0), np.array([2**40])]),
    ],
)
def test_a_tensor_that_would_fill_the_memory(kind, arrays, proto, tmp_path):
    named = [(f"a{i}", array) for i, array in enumerate(arrays)]
    node = helper.make_node(kind, [name for name, _ in named], ["made"], "bomb")
    assert "elements; use a smaller network" in attempt(behind(proto, node, *named), tmp_path)


@pytest.mark.parametrize(
    ("shape", "channels", "message"),
    [
        ((1, 4096, 8192), 4, ""),  # as large as an input and as values inside may be
        ((1, 4097, 8192), 1, "the input 'x': a tensor of the shape (1, 4097, 8192) has more than "
         "33554432 elements; use a smaller network"),
        ((1, 4096, 8192), 5, "wide: a tensor of the shape (5, 4096, 8192) has more than "
         "134217728 elements; use a smaller network"),
    ],
)  # fmt: skip
def test_the_largest_image(shape, channels, message, tmp_path):
    sketch = Sketch(*shape).quant(4).conv(channels, 1, (1, 1), name="wide").sign()
    found = ""
    try:
        frontend.read(sketch.write(tmp_path))
    except UserError as error:
        found = str(error)
    assert found == message


def test_an_image_that_would_fill_the_memory(tmp_path):
    huge = Sketch(1, 60000, 60000).sign().conv(2, 1).sign().flatten().dense(4, 2)
    assert attempt(huge.proto(), tmp_path)


@pytest.mark.parametrize("place", ["initializer", "attribute"])
def test_weights_in_another_file_are_not_followed(place, proto, tmp_path):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(np.ones((27, 3), np.float32).tobytes())
    tensor = TensorProto(name="far", data_type=TensorProto.FLOAT, dims=[27, 3])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=str(secret))
    if place == "initializer":
        proto.graph.initializer.append(tensor)
        proto.graph.node[-1].input[1] = "far"
    else:
        node = helper.make_node("Constant", [], ["far"])
        node.attribute.add(name="value", type=4, t=tensor)
        behind(proto, node)
    assert attempt(proto, tmp_path)


def test_claims_beyond_the_data(proto, tmp_path):
    proto.graph.initializer[-1].dims[:] = [2**40, 2**20]
    assert attempt(proto, tmp_path)


def test_every_truncation_and_any_flipped_byte_gives_a_message_or_a_model(proto, tmp_path):
    whole, random = proto.SerializeToString(), np.random.default_rng(0)
    for end in random.integers(0, len(whole), 40):
        assert attempt(whole[:end], tmp_path)
    for _ in range(150):
        spoilt = bytearray(whole)
        for place in random.integers(0, len(whole), random.integers(1, 5)):
            spoilt[place] = random.integers(256)
        attempt(bytes(spoilt), tmp_path)  # raises nothing but UserError


def test_attributes_that_are_missing(proto, tmp_path):
    for node in proto.graph.node:
        for attribute in list(node.attribute):
            spoilt = type(proto).FromString(proto.SerializeToString())
            same = next(n for n in spoilt.graph.node if n.name == node.name)
            del same.attribute[[a.name for a in same.attribute].index(attribute.name)]
            attempt(spoilt, tmp_path)
