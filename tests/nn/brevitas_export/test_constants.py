# SPDX-License-Identifier: BSD-3-Clause
"""Constants are folded as qonnx folds them."""

import numpy as np
import onnx
import pytest

pytest.importorskip("torch")
pytest.importorskip("brevitas")

from onnx import helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.fold_constants import FoldConstants
from qonnx.transformation.infer_shapes import InferShapes

from bonn_hw.nn.brevitas_export.constants import fold_constants

pytestmark = pytest.mark.torch


def model():
    """A chain of constants, one behind a quantiser, and a constant without inputs."""
    rng = np.random.default_rng(0)
    constant = numpy_helper.from_array(rng.normal(size=(3, 2)).astype(np.float32))
    nodes = [
        helper.make_node("Constant", [], ["c"], name="given", value=constant),
        helper.make_node("Transpose", ["a"], ["t"], name="turned"),
        helper.make_node("Add", ["t", "c"], ["s"], name="sum"),
        helper.make_node("BipolarQuant", ["s", "one"], ["q"], name="kept",
                         domain="qonnx.custom_op.general"),
        helper.make_node("Mul", ["s", "s"], ["square"], name="squared"),
        helper.make_node("MatMul", ["x", "q"], ["m"], name="product"),
        helper.make_node("MatMul", ["x", "square"], ["n"], name="other"),
        helper.make_node("Add", ["m", "n"], ["y"], name="last"),
    ]  # fmt: skip
    weights = {"a": rng.normal(size=(2, 3)).astype(np.float32), "one": np.float32(1)}
    ports = [helper.make_tensor_value_info(n, 1, s) for n, s in (("x", (1, 3)), ("y", (1, 2)))]
    graph = helper.make_graph(
        nodes, "g", ports[:1], ports[1:],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )  # fmt: skip
    domains = [helper.make_opsetid("", 17), helper.make_opsetid("qonnx.custom_op.general", 2)]
    made = helper.make_model(graph, opset_imports=domains)
    return ModelWrapper(onnx.ModelProto.FromString(made.SerializeToString())).transform(
        InferShapes()
    )


def contents(folded):
    graph = folded.graph
    kept = {one.name: numpy_helper.to_array(one).tobytes() for one in graph.initializer}
    return {node.name for node in graph.node}, kept


def test_as_qonnx_does_it_one_by_one():
    one_by_one = model().transform(FoldConstants(exclude_op_types=["BipolarQuant"]))
    at_once = fold_constants(model(), ["BipolarQuant"])
    assert contents(at_once) == contents(one_by_one)
    assert contents(at_once)[0] == {"kept", "product", "other", "last"}
