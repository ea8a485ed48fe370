# SPDX-License-Identifier: BSD-3-Clause
"""Nodes as steps of the driver: what ONNX's own evaluator says, with attributes and without."""

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from bonn_hw.driver.steps import evaluate
from bonn_hw.frontend.numpy_steps import steps_of

VALUES = np.random.default_rng(0).permutation(96).reshape(1, 8, 3, 4).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


def node(kind, constants, attributes, outputs=("y",)):
    names = ["x", *(f"c{place}" for place in range(len(constants)))]
    return helper.make_node(kind, names, outputs, **attributes), dict(
        zip(names[1:], constants, strict=True)
    )


def onnx(made, constants, opset):
    graph = helper.make_graph(
        [made],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, VALUES.shape)],
        [helper.make_empty_tensor_value_info(name) for name in made.output],
        [helper.make_tensor(n, helper.np_dtype_to_tensor_dtype(c.dtype), c.shape, c.ravel())
         for n, c in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    return ReferenceEvaluator(model).run(None, {"x": VALUES})


@pytest.mark.parametrize(
    ("kind", "constants", "attributes", "opset"),
    [
        ("ArgMax", [], {}, 18),
        ("ArgMax", [], {"axis": 1, "keepdims": 0}, 18),
        ("ArgMin", [], {"axis": -1}, 18),
        ("Cast", [], {"to": TensorProto.INT32}, 18),
        ("Concat", [VALUES[:, :1]], {"axis": 1}, 18),
        ("DepthToSpace", [], {"blocksize": 2}, 18),
        ("DepthToSpace", [], {"blocksize": 2, "mode": "CRD"}, 18),
        ("Flatten", [], {}, 18),
        ("Flatten", [], {"axis": 1}, 18),
        ("Gather", [ints(0, 0)], {}, 18),
        ("Gather", [ints(5, 1)], {"axis": 1}, 18),
        ("ReduceMax", [ints(1, 2)], {}, 18),
        ("ReduceMax", [], {"axes": [3], "keepdims": 0}, 13),
        ("ReduceMin", [ints(2)], {"keepdims": 1}, 18),
        ("Reshape", [ints(0, -1)], {}, 18),
        ("Reshape", [ints(8, 12)], {"allowzero": 0}, 18),
        ("Slice", [ints(1), ints(7)], {}, 18),
        ("Slice", [ints(0, 1), ints(1, 3)], {}, 18),
        ("Slice", [ints(6, 3), ints(1, 0), ints(1, 3), ints(-2, -1)], {}, 18),
        ("Slice", [ints(1), ints(7), ints(1)], {}, 18),
        ("Transpose", [], {"perm": [0, 2, 3, 1]}, 18),
    ],
)
def test_a_node_is_what_onnx_says(kind, constants, attributes, opset):
    made, known = node(kind, constants, attributes)
    (expected,) = onnx(made, known, opset)
    steps = steps_of(made, known)
    found = evaluate(steps, known, VALUES, "x", "y")
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_slices_before_operator_set_10_have_attributes():
    made, known = node("Slice", [], {"starts": [0, 2], "ends": [1, 5]})
    found = evaluate(steps_of(made, known), known, VALUES, "x", "y")
    np.testing.assert_array_equal(found, VALUES[0:1, 2:5])
    made, known = node("Slice", [], {"starts": [2], "ends": [5], "axes": [1]})
    found = evaluate(steps_of(made, known), known, VALUES, "x", "y")
    np.testing.assert_array_equal(found, VALUES[:, 2:5])


def test_a_top_k_is_two_steps():
    for largest, attributes in ((1, {}), (0, {"largest": 0, "axis": 1})):
        made, known = node("TopK", [ints(2)], attributes, ("values", "places"))
        steps = steps_of(made, known)
        expected = onnx(made, known, 18)
        for output, wanted in zip(("values", "places"), expected, strict=True):
            found = evaluate(steps, known, VALUES, "x", output)
            np.testing.assert_array_equal(found, wanted, str(largest))
    made, known = node("TopK", [ints(2)], {}, ("", "places"))
    assert [step[2] for step in steps_of(made, known)] == ["places"]


def test_a_resize_to_neighbours_is_a_repetition():
    for kind, constants in (
        ("Resize", [np.zeros(0, np.float32), np.array([1, 1, 2, 3], np.float32)]),
        ("Upsample", [np.array([1, 1, 2, 3], np.float32)]),
    ):
        made, known = node(kind, constants, {"mode": "nearest"})
        found = evaluate(steps_of(made, known), known, VALUES, "x", "y")
        np.testing.assert_array_equal(found, VALUES.repeat(2, 2).repeat(3, 3))


@pytest.mark.parametrize(
    ("kind", "constants", "attributes"),
    [
        ("Transpose", [], {}),
        ("Flatten", [], {"axis": 2}),
        ("Reshape", [ints(8, 12)], {"allowzero": 1}),
        ("Resize", [np.zeros(0, np.float32), np.array([1, 1, 1.5, 2], np.float32)], {}),
        ("Conv", [VALUES], {}),
        ("Cast", [], {"to": TensorProto.INT32, "saturate": 1}),
    ],
)
def test_what_the_driver_does_not_have(kind, constants, attributes):
    made, known = node(kind, constants, attributes)
    assert steps_of(made, known) is None


def test_operands_that_are_no_constants():
    for kind in ("Slice", "Gather", "TopK", "ReduceMax"):
        made = helper.make_node(
            kind, ["x", "computed", "computed"][: 3 if kind == "Slice" else 2], "y"
        )
        assert steps_of(made, {}) is None
