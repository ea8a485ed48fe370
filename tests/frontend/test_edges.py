# SPDX-License-Identifier: BSD-3-Clause
"""What is just inside a bound is accepted, and what is just outside is refused."""

from types import SimpleNamespace

import numpy as np
import pytest
from onnx import helper

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend import activation
from bonn_hw.frontend.branch import _check_floats
from bonn_hw.frontend.channels_last import _axes as axes_of
from bonn_hw.frontend.operators.quantize_linear import constant_grid
from bonn_hw.frontend.requantization import fit_holding_zero
from bonn_hw.frontend.staircase import gather
from bonn_hw.ir.tensor import Element, TensorType
from tests.support.sketch import Sketch, agree, lowered

TINY = np.finfo(np.float32).tiny
NODE = helper.make_node("MatMul", ["x", "w"], ["y"], name="last")


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        (TINY, ""),
        (TINY / 2, r"^last: its sums have a scale of 5\.87747e-39 and reach"),
        (np.finfo(np.float32).max / 4, ""),
        (np.finfo(np.float32).max / 3, r"and reach 4\.5371e\+38, which float32 does not hold"),
    ],
)
def test_scales_that_float32_holds(scale, message):
    matrix = SimpleNamespace(
        weights=np.ones((1, 2), np.int8), element=SimpleNamespace(low=-2, high=1)
    )
    check = (NODE, matrix, np.array([scale], np.float64), None)
    if not message:
        _check_floats(*check)
        return
    with pytest.raises(UnsupportedModel, match=message):
        _check_floats(*check)


@pytest.mark.parametrize(
    ("inputs", "zero"), [(["w", "s"], 0), (["w", "s", ""], 0), (["w", "s", "z"], 3)]
)
def test_weights_with_and_without_a_zero_point(inputs, zero):
    node = helper.make_node("DequantizeLinear", inputs, ["y"])
    constants = {
        "w": np.array([[-5, 7]], np.int8), "s": np.array(0.5, np.float32), "z": np.array(3, np.int8)
    }  # fmt: skip
    grid = constant_grid(node, constants)
    assert (grid.low, grid.high, float(grid.scale)) == (-5 - zero, 7 - zero, 0.5)


def test_a_branch_of_one_channel_is_concatenated(tmp_path):
    sketch = Sketch(2, 3, 4, seed=5).quant(4, scale=0.25)
    start, ends = sketch.last, []
    for channels in (1, 3):
        sketch.last = start
        ends.append(sketch.conv(channels, 2).norm(channels).sign().last)
    sketch._behind("Concat", ends, "both", axis=1).conv(2, 4, (1, 1))
    frames = sketch.random.integers(-8, 8, (4, 2, 3, 4)).astype(np.float32) / 4
    agree(sketch, tmp_path, frames)


@pytest.mark.parametrize(("taps", "step", "fits"), [(31, 1, 1), (16, 2, 1), (32, 1, 0), (17, 2, 0)])
@pytest.mark.parametrize("kind", ["Conv", "ConvTranspose"])
def test_the_largest_kernel(kind, taps, step, fits, tmp_path):
    sketch = Sketch(1, 1, 33).quant(2)
    sketch.add(kind, sketch.signs(1, 1, 1, taps), kernel_shape=(1, taps), dilations=(1, step))
    if fits:
        agree(sketch, tmp_path, sketch.images(2, -2, 1))
        return
    message = (
        rf"a kernel of 1x{(taps - 1) * step + 1}, dilation included, is too large; at most 31x31$"
    )
    with pytest.raises(UnsupportedModel, match=message):
        lowered(sketch, tmp_path)


@pytest.mark.parametrize(("most", "shown"), [(300, "at least "), (301, "")])
def test_values_are_counted_where_they_are_few(most, shown, monkeypatch, tmp_path):
    """75 steps between the ends of each of four sums."""
    monkeypatch.setattr(activation, "COUNTED", most)
    sketch = Sketch(5).quant(4).dense(5, 4).norm(4).dense(4, 2)
    with pytest.raises(UnsupportedModel, match=rf"has {shown}\d+ values in channel \d "):
        lowered(sketch, tmp_path)


@pytest.mark.parametrize(
    ("values", "ends"), [((1, 3), (0, 3)), ((-3, -1), (-3, 0)), ((-2, 5), (-2, 5))]
)
def test_outputs_of_a_quantiser_before_pads_hold_zero(values, ends):
    low, high = values
    grid = np.arange(low, high + 1)
    stairs = gather([(grid, grid[:, None])], np.array([low]), np.array([high]))
    kernel = fit_holding_zero(stairs, TensorType((1, 1, 1), Element(low, high)), "layer")
    assert (kernel.element.low, kernel.element.high) == ends


def test_the_first_operator_of_the_input_names_its_values(tmp_path):
    sketch = Sketch(3).quant(2).add("Mul", np.float32([1, 1.37, 2.71]), name="first")
    sketch.add("Add", np.float32([0.1, 0.2, 0.5]), name="second").dense(3, 2, "last")
    with pytest.raises(
        UnsupportedModel, match=r"^last: its input, the activation after first, has"
    ):
        lowered(sketch, tmp_path)


def test_axes_of_a_tensor_are_those_of_what_makes_it():
    makers = {
        "a": helper.make_node("Conv", ["x", "w"], ["a"], kernel_shape=[3]),
        "b": helper.make_node("Relu", ["a"], ["b"]),
        "c": helper.make_node("Transpose", ["x"], ["c"], perm=[0, 3, 1, 2]),
        "d": helper.make_node("Flatten", ["a"], ["d"]),
        "e": helper.make_node("Constant", [], ["e"]),
    }
    found = {name: axes_of(name, makers, {"y": 5}) for name in "abcdexy"}
    assert found == {"a": 3, "b": 3, "c": 4, "d": 0, "e": 0, "x": 0, "y": 5}
