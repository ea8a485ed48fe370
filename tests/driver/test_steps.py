# SPDX-License-Identifier: BSD-3-Clause
"""Each operator of the driver on small arrays: what ONNX says that it is."""

import numpy as np
import pytest

from bonn_hw.driver.steps import OPERATORS, evaluate

ROW = np.arange(5, dtype=np.float32)
GRID = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def ints(*values):
    return np.array(values, np.int64)


@pytest.mark.parametrize(
    ("start", "end", "step", "expected"),
    [
        (1, 4, 1, [1, 2, 3]),
        (3, 0, -1, [3, 2, 1]),
        (-1, -9, -2, [4, 2, 0]),  # past the first element
        (-1, -5, -1, [4, 3, 2, 1]),
        (0, -9, 1, []),
        (-2, 9, 1, [3, 4]),
    ],
)
def test_slice(start, end, step, expected):
    found = OPERATORS["Slice"](ROW, ints(start), ints(end), ints(0), ints(step))
    assert found.tolist() == expected


def test_slices_of_several_axes():
    found = OPERATORS["Slice"](GRID, ints(1, 3), ints(3, 0), ints(1, 2), ints(1, -2))
    assert found.tolist() == GRID[:, 1:3, 3:0:-2].tolist()


def test_reshape_keeps_the_sizes_that_are_zero():
    assert OPERATORS["Reshape"](GRID, ints(0, -1)).shape == (2, 12)
    assert OPERATORS["Flatten"](GRID).shape == (2, 12)


def test_places_of_the_largest_and_smallest():
    values = np.array([[3, 7, 7], [1, 0, 0]], np.float32)
    assert OPERATORS["ArgMax"](values, 1, 1).tolist() == [[1], [0]]
    assert OPERATORS["ArgMax"](values, 0, 0).tolist() == [0, 0, 0]
    assert OPERATORS["ArgMin"](values, 1, 0).tolist() == [0, 1]
    assert OPERATORS["TopIndices"](values, ints(2), 1, 1).tolist() == [[1, 2], [0, 1]]
    assert OPERATORS["TopValues"](values, ints(2), 1, 1).tolist() == [[7, 7], [1, 0]]
    assert OPERATORS["TopIndices"](values, ints(2), 1, 0).tolist() == [[0, 1], [1, 2]]
    assert OPERATORS["TopIndices"](values, ints(2), 1, 0).dtype == np.int64


@pytest.mark.parametrize(("mode", "expected"), [(0, [0, 4, 8, 12]), (1, [0, 2, 4, 6])])
def test_depth_to_space(mode, expected):
    """Four of eight channels are the pixels of a square: each second one, or the first ones."""
    values = np.arange(16, dtype=np.float32).reshape(1, 8, 1, 2)
    found = OPERATORS["DepthToSpace"](values, 2, mode)
    assert found.shape == (1, 2, 2, 4)
    assert found[0, 0, :, :2].reshape(-1).tolist() == expected
    assert (found[0, 0, :, 2:] == found[0, 0, :, :2] + 1).all()  # the second column


def test_reductions_and_repeats():
    assert OPERATORS["ReduceSum"](GRID, ints(1, 2)).tolist() == [[[66.0]], [[210.0]]]
    assert OPERATORS["ReduceMax"](GRID, ints(2), 0).tolist() == GRID.max(2).tolist()
    assert OPERATORS["ReduceMin"](GRID, ints(1), 1).tolist() == GRID.min(1)[:, None].tolist()
    assert OPERATORS["Repeat"](GRID[:1, :1, :2], ints(1, 2, 3)).tolist() == [
        [[0, 0, 0, 1, 1, 1]] * 2
    ]
    assert OPERATORS["Concat"](ROW[None], ROW[None, :1], 1).tolist() == [[0, 1, 2, 3, 4, 0]]
    assert OPERATORS["Gather"](GRID, ints(2, 0), 1).tolist() == GRID[:, [2, 0]].tolist()
    assert OPERATORS["Relu"](ROW - 2).tolist() == [0, 0, 0, 1, 2]
    assert OPERATORS["Clip"](ROW, 1, 3).tolist() == [1, 1, 2, 3, 3]
    assert OPERATORS["Unsqueeze"](ROW, ints(0, 2)).shape == (1, 5, 1)
    assert OPERATORS["Squeeze"](ROW[None, :, None], ints(0, 2)).shape == (5,)
    assert OPERATORS["Cast"](ROW, np.zeros(0, np.int64)).dtype == np.int64


def test_operators_run_in_order():
    steps = [("Add", ["x", "one"], "y"), ("Mul", ["y", "y"], "z")]
    assert evaluate(steps, {"one": np.float32(1)}, ROW, "x", "z").tolist() == [1, 4, 9, 16, 25]
