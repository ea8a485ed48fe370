# SPDX-License-Identifier: BSD-3-Clause
"""Layers are called as their modules in PyTorch, where the file says so."""

import numpy as np
import pytest
from onnx import helper

from bonn_hw import frontend
from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.layer_names import LONGEST, SCOPES, name_nodes
from tests.support.sketch import Sketch


def node(kind, name="", scopes=None):
    made = helper.make_node(kind, ["x"], ["y"], name)
    if scopes is not None:
        made.metadata_props.add(key=SCOPES, value=str(scopes))
    return made


def named(*nodes):
    return [one.name for one in name_nodes(nodes)]


def test_names_of_modules():
    inner = ["", "conv1", "conv1.weight_quant", "conv1.weight_quant.export_handler", "_symbolic"]
    act = ["", "relu1", "relu1.act_quant", "relu1.act_quant.export_handler", "_symbolic_2"]
    assert named(
        node("Quant", "node__symbolic", inner),
        node("Conv", "node_Conv_224", ["", "conv1", "conv2d"]),
        node("Relu", "node_relu", ["", "relu1", "relu1.act_quant", "relu"]),
        node("Quant", "node__symbolic_2", act),
        node("MaxPool", "node_max_pool2d", ["", "max_pool2d"]),
    ) == ["conv1.weight_quant", "conv1", "relu1", "relu1/Quant", "max_pool2d"]


def test_a_place_in_a_sequential_has_its_operator_too():
    scopes = ["", "3", "linear"]
    assert named(node("Gemm", "node_linear", scopes), node("Add", "b", scopes)) == [
        "3/Gemm",
        "3/Add",
    ]


def test_names_are_unique():
    shared = ["", "conv", "conv2d"]
    nodes = [node("Conv", "n", shared) for _ in range(3)]
    assert named(*nodes, node("Conv", "conv")) == ["conv", "conv/Conv", "conv/Conv_2", "conv_3"]
    assert named(node("Add", "a_1"), node("Add", "a"), node("Add", "a")) == ["a_1", "a", "a_2"]
    assert named(node("Add"), node("Add")) == ["Add_0", "Add_1"]


@pytest.mark.parametrize(
    "scopes", ["", "[]", "['', '']", "nonsense", "['', '\x1b[31mred', 'x']", "['a']" * LONGEST]
)
def test_metadata_that_names_nothing(scopes):
    made = node("Conv", "own")
    made.metadata_props.add(key=SCOPES, value=scopes)
    assert named(made) == ["own"]


def test_messages_use_the_names(tmp_path):
    weights = np.sqrt(np.arange(1, 9, dtype=np.float32)).reshape(4, 2)  # on no grid
    sketch = Sketch(4).quant(4).add("MatMul", weights)
    sketch.nodes[-1].metadata_props.add(key=SCOPES, value="['', 'body.fc1', 'linear']")
    with pytest.raises(UnsupportedModel, match=r"^body\.fc1: the weights of output channel 0"):
        frontend.lower(frontend.read(sketch.write(tmp_path)))
