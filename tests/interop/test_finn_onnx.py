# SPDX-License-Identifier: BSD-3-Clause
"""FINN-ONNX before its lowering: quantisers of weights, and scales as part of thresholds."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from bonn_hw.interop.finn_onnx import to_qonnx
from bonn_hw.interop.finn_reader import is_finn

FINN = "qonnx.custom_op.general"


def graph(scale, weights, kind="INT3", opset=9):
    """Thresholds, a Mul and an Add, a matrix, and a TopK as FINN writes it."""
    constants = {"t": np.array([[0.5, 1.5, 2.5]]), "s": scale, "b": -1.0, "w": weights}
    made = [numpy_helper.from_array(np.asarray(value, np.float32), name)
            for name, value in constants.items()]  # fmt: skip
    made.append(numpy_helper.from_array(np.array([1]), "k"))
    nodes = [
        helper.make_node("MultiThreshold", ["x", "t"], ["c"], domain=FINN, out_dtype="UINT2"),
        helper.make_node("Mul", ["c", "s"], ["m"]),
        helper.make_node("Add", ["m", "b"], ["a"]),
        helper.make_node("MatMul", ["a", "w"], ["y"], "MatMul_0"),
        helper.make_node("TopK", ["y", "k"], ["best", "label"], axis=-1, largest=1),
    ]
    ends = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])]
    outputs = [helper.make_tensor_value_info("label", TensorProto.INT64, [1, 1])]
    whole = helper.make_graph(nodes, "finn", ends, outputs, made)
    note = whole.quantization_annotation.add(tensor_name="w")
    note.quant_parameter_tensor_names.add(key="finn_datatype", value=kind)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(FINN, 1)]
    return helper.make_model(whole, opset_imports=opsets)


def test_scales_become_part_of_the_thresholds():
    model = graph(0.25, np.arange(8).reshape(4, 2) - 4)
    assert is_finn(model)
    translated = to_qonnx(model)
    kinds = [node.op_type for node in translated.graph.node]
    assert kinds == ["MultiThreshold", "Quant", "MatMul", "TopK"]
    thresholds, quantiser = translated.graph.node[:2]
    values = {one.name: helper.get_attribute_value(one) for one in thresholds.attribute}
    assert (values["out_scale"], values["out_bias"]) == (0.25, -1.0)
    assert thresholds.output[0] == "a"
    assert translated.graph.node[2].input[1] == quantiser.output[0]
    (standard,) = (one.version for one in translated.opset_import if not one.domain)
    assert standard == 11  # the first with TopK's attribute `largest`


@pytest.mark.parametrize("weights", [np.ones((4, 2)), np.full((4, 2), 0.5)])
def test_bits_and_floats_get_no_quantiser(weights):
    translated = to_qonnx(graph(1.0, weights))
    assert "Quant" not in [node.op_type for node in translated.graph.node]


def test_scales_that_would_round_otherwise_stay():
    """In float32, k * 0.3 - 1 is not what one multiplication and one sum of that scale give."""
    translated = to_qonnx(graph(np.float32(0.3), np.ones((4, 2))))
    kept = [node.op_type for node in translated.graph.node]
    values = np.arange(4, dtype=np.float32) * np.float32(0.3) + np.float32(-1)
    (thresholds,) = (node for node in translated.graph.node if node.op_type == "MultiThreshold")
    stated = {one.name: helper.get_attribute_value(one) for one in thresholds.attribute}
    scale, bias = (np.float32(stated[key]) for key in ("out_scale", "out_bias"))
    found = np.arange(4, dtype=np.float32) * scale + bias
    if "Mul" in kept:
        found = found * np.float32(0.3)
    if "Add" in kept:
        found = found + np.float32(-1)
    np.testing.assert_array_equal(found, values)
