# SPDX-License-Identifier: BSD-3-Clause
"""Quantisers as exporters write them: domains, rounding modes, Trunc, MultiThreshold, biases."""

import numpy as np
import pytest
from onnx import helper
from qonnx.custom_op.general.intquant import int_quant

from bonn_hw import frontend
from bonn_hw.errors import InternalError, UnsupportedModel
from bonn_hw.frontend.model import QuantGrid
from bonn_hw.frontend.operators import table
from bonn_hw.frontend.quantiser_check import _on_grid
from bonn_hw.frontend.quantiser_steps import ROUNDING
from tests.support.sketch import QONNX, Sketch, agree, kernels, lowered

FINN = "finn.custom_op.general"


def refusal(sketch, folder):
    with pytest.raises(UnsupportedModel) as error:
        lowered(sketch, folder)
    return str(error.value)


def answers(result, frames):
    return result.host.decode(result.graph.run(result.host.encode(frames)))


# Domains.


def small(domain):
    sketch = Sketch(2, 4, 4, domain=domain).quant(4).bit_conv(3, 2).norm(3).sign()
    return sketch.flatten().few_bit_dense(12, 3)


@pytest.mark.parametrize("domain", ["", FINN])
def test_operators_of_qonnx_in_any_domain(domain, tmp_path):
    frames = small(QONNX).images()
    result, expected = lowered(small(domain), tmp_path), lowered(small(QONNX), tmp_path)
    np.testing.assert_array_equal(answers(result, frames), answers(expected, frames))


def test_an_unknown_operator_of_qonnx(tmp_path):
    sketch = Sketch(3).quant(4)
    sketch.nodes.append(helper.make_node("FloatQuant", ["v0"], ["f"], "float", domain=QONNX))
    sketch.last = "f"
    assert refusal(sketch.dense(3, 2), tmp_path) == (
        "float: operator FloatQuant of qonnx.custom_op.general is not supported; use one of "
        "MultiThreshold, BipolarQuant, Quant, IntQuant, Trunc"
    )


def test_operators_that_only_we_write(tmp_path):
    sketch = Sketch(3).quant(4)
    node = helper.make_node("RoundTowardsZero", ["v0"], ["f"], "odd", domain="bonn_hw")
    sketch.nodes.append(node)
    sketch.last = "f"
    assert refusal(sketch.dense(3, 2), tmp_path) == (
        "odd: operators of 'bonn_hw' are not supported in files; use standard ONNX and QONNX's "
        "quantisers"
    )


# Rounding modes.


@pytest.mark.parametrize("mode", [mode for mode in ROUNDING if mode != "ROUND_TO_ZERO"])
def test_every_rounding_mode(mode, tmp_path):
    opset = 9 if mode.startswith("HALF") else 17  # the translation differs below 11
    sketch = Sketch(3, opset=opset).quant(6, rounding_mode=mode).few_bit_dense(3, 4, bits=3)
    sketch.quant(3, scale=2.0, zero=1.0, rounding_mode=mode.lower())
    agree(sketch.few_bit_dense(4, 2), tmp_path)


def test_brevitas_name_of_a_rounding_mode(tmp_path):
    def network(mode):
        return Sketch(3).quant(6).few_bit_dense(3, 4).quant(3, scale=2.0, rounding_mode=mode)

    ours, down = (
        lowered(network(mode).dense(4, 2), tmp_path).graph.nodes[1].kernel
        for mode in ("ROUND_TO_ZERO", "DOWN")
    )
    np.testing.assert_array_equal(ours.offsets, down.offsets)


def test_an_unknown_rounding_mode(tmp_path):
    assert refusal(Sketch(3).quant(4, rounding_mode="DICE").dense(3, 2), tmp_path) == (
        "Quant_0: rounding mode DICE is not supported; use one of ROUND, HALF_EVEN, CEIL, FLOOR, "
        "UP, DOWN, ROUND_TO_ZERO, HALF_UP, HALF_DOWN"
    )


# Trunc.


@pytest.mark.parametrize(
    ("second", "mode"), [(False, "FLOOR"), (True, "round"), (False, "HALF_UP"), (True, "CEIL")]
)
def test_trunc_of_an_average(second, mode, tmp_path):
    sketch = Sketch(2, 4, 4).quant(4, signed=0).few_bit_conv(3, 2, scale=0.5).quant(4, scale=2.0)
    sketch.add("AveragePool", kernel_shape=(2, 2))
    after = 2.0 if second else None
    sketch.trunc(0.5, 6, 4, after, rounding_mode=mode)
    assert "requantize" in kernels(agree(sketch.flatten().few_bit_dense(3, 2), tmp_path))


def test_trunc_with_a_zero_point(tmp_path):
    sketch = Sketch(4).quant(6, signed=0, zero=8.0).few_bit_dense(4, 3).quant(8, scale=0.25)
    agree(sketch.trunc(0.25, 8, 4, 4.0, zero=16.0).few_bit_dense(3, 2), tmp_path)


@pytest.mark.parametrize("second", [False, True])
def test_trunc_of_the_input(second, tmp_path):
    sketch = Sketch(4).quant(8).trunc(1.0, 8, 4, 16.0 if second else None)
    agree(sketch.few_bit_dense(4, 3), tmp_path)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"after": 0}, "cut: a Trunc to 0 bits is not supported; use 1 to 24"),
        (
            {"after": 4, "scale_after": 2.0, "zero": 1.0},
            "cut: the zero point 0.5 of the truncated values is not an integer; use 0",
        ),
        (
            {"after": np.ones(2)},
            "cut: Trunc is supported with one zero point, one width and one scale for all",
        ),
    ],
)
def test_trunc_that_is_refused(given, text, tmp_path):
    assert refusal(Sketch(2).quant(8).trunc(1.0, 8, name="cut", **given).dense(2, 2), tmp_path) == (
        text
    )


def test_a_zero_point_of_one_bit(tmp_path):
    """qonnx gives -1 and +1, and then subtracts it."""
    sketch = Sketch(4).quant(8).dense(4, 3).quant(1, zero=8.0, name="one").dense(3, 2)
    said = refusal(sketch, tmp_path)
    assert "one: a signed quantiser of 1 bit has the zero point [8.0]; use 0" in said


@pytest.mark.parametrize(("inputs", "whole"), [(4, False), (5, True)])
def test_only_a_quantiser_that_clips_reaches_both_ends_of_its_grid(inputs, whole):
    """Trunc has a fifth input from its second version on, and clips nothing there."""
    node = helper.make_node("Trunc", [f"i{place}" for place in range(inputs)], ["y"])
    grid, values = QuantGrid(np.float32(0.5), 0, 3), np.array([0.0, 0.5, 1.0], np.float32)
    assert _on_grid(values, grid, node) == whole
    assert _on_grid(np.append(values, np.float32(1.5)), grid, node)
    assert not _on_grid(values + np.float32(0.25), grid, node)


def test_trunc_in_an_old_operator_set(tmp_path):
    sketch = Sketch(2, opset=10).quant(8).trunc(1.0, 8, 4, name="cut").dense(2, 2)
    assert refusal(sketch, tmp_path) == (
        "cut: Trunc needs operator set 11 or later, not 10: export again"
    )


# MultiThreshold.


def steps(rows, count=3, seed=3):
    return np.sort(np.random.default_rng(seed).integers(-20, 20, (rows, count)), axis=1) + 0.5


@pytest.mark.parametrize(
    ("scale", "bias", "low", "high", "rows"),
    [(1, 0, 0, 3, 1), (0.5, -1, -2, 1, 3), (2, -3, -3, 3, 1), (-1, 1, -2, 1, 3)],
)
def test_thresholds(scale, bias, low, high, rows, tmp_path):
    sketch = Sketch(2, 4, 4, domain=FINN).conv(3, 2)
    sketch.annotation = "INT4"
    sketch.thresholds(steps(rows), scale, bias)
    frames = sketch.random.integers(-8, 8, (6, 2, 4, 4)).astype(np.float32)
    result = agree(sketch.flatten().dense(12, 2), tmp_path, frames)
    (quantiser,) = (
        node.kernel
        for node in result.graph.nodes
        if node.kernel.stem in ("requantize", "multi_threshold")
    )
    element = quantiser.outputs[0].element
    assert (element.low, element.high) == (low, high)


def test_one_threshold_is_the_threshold_of_the_matrix_unit(tmp_path):
    sketch = Sketch(2, 4, 4, domain=FINN).conv(3, 2)
    sketch.annotation = "BIPOLAR"
    sketch.thresholds(steps(3, 1), 2.0, -1.0, "BIPOLAR")
    frames = sketch.random.choice([-1, 1], (6, 2, 4, 4)).astype(np.float32)
    result = agree(sketch.flatten().dense(12, 2), tmp_path, frames)
    assert kernels(result) == ["sliding_window", "mvu", "mvu"]


def test_a_quantiser_of_the_input_by_thresholds(tmp_path):
    sketch = Sketch(5, domain=FINN).thresholds(steps(1, 7), 0.25, -1.0).few_bit_dense(5, 3)
    agree(sketch, tmp_path)


def test_channels_last(tmp_path):
    sketch = Sketch(2, 4, 4, domain=FINN).quant(4).conv(3, 2)
    sketch.add("Transpose", perm=[0, 2, 3, 1]).thresholds(steps(3), data_layout="NHWC")
    agree(sketch.add("Transpose", perm=[0, 3, 1, 2]).flatten().dense(12, 2), tmp_path)


def test_thresholds_without_a_common_grid(tmp_path):
    sketch = Sketch(4, domain=FINN).quant(4).dense(4, 3).thresholds(steps(3), 1.0, 0.123456)
    agree(sketch.quant(4).dense(3, 2), tmp_path)  # another quantiser makes integers of them


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        (np.zeros(3), "MultiThreshold_2: thresholds of the shape (3,) are not (channels, "),
        (np.full((1, 2), np.nan), "MultiThreshold_2: thresholds of the shape (1, 2) are not"),
        (
            np.zeros((2, 1)),
            "MultiThreshold_2: has thresholds for 2 channels, and its input has 3",
        ),
    ],
)
def test_thresholds_that_are_refused(limits, text, tmp_path):
    sketch = Sketch(4, domain=FINN).quant(4).dense(4, 3).thresholds(limits).dense(3, 2)
    assert refusal(sketch, tmp_path).startswith(text)


def sequence(rows, **given):
    """Thresholds behind a convolution of three channels over a sequence."""
    sketch = Sketch(2, 6, domain=FINN).quant(4).conv(3, 2, (3,)).thresholds(steps(rows), **given)
    return sketch.flatten().dense(12, 2)


def test_thresholds_of_a_sequence(tmp_path):
    agree(sequence(1), tmp_path)  # the same for all channels, wherever they are
    agree(sequence(3, data_layout="NCW"), tmp_path)
    assert refusal(sequence(3), tmp_path).startswith(
        "MultiThreshold_2: a MultiThreshold of three axes must state its data_layout, NCW or NWC"
    )


@pytest.mark.parametrize("scale", [0.0, -0.5, np.inf, np.nan])
def test_scales_that_are_refused(scale, tmp_path):
    sketch = Sketch(4).quant(4).dense(4, 3).quant(3, scale=scale, name="bad").dense(3, 2)
    text = "bad: the scale of a quantiser must be positive and finite"
    assert refusal(sketch, tmp_path) == text


# Constants.


@pytest.mark.parametrize("bits", [24, 32, 33.5])
def test_a_bias_of_any_width(bits, tmp_path):
    sketch = Sketch(4).quant(4).few_bit_dense(4, 3, scale=0.25)
    bias = sketch.random.normal(0, 3, 3).astype(np.float32)
    names = [sketch.constant(np.asarray(v, np.float32)) for v in (bias, 0.25, 0, bits)]
    given = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
    sketch.nodes.append(helper.make_node("Quant", names, ["b"], "bias", domain=QONNX, **given))
    sketch.join("b")
    model = frontend.read(sketch.write(tmp_path))
    one = np.float32(1)
    expected = int_quant(bias, one / 4, one * 0, np.float32(bits), 1, 0, "ROUND")
    np.testing.assert_array_equal(model.constants["b"], expected)
    agree(sketch.quant(4, scale=2.0).dense(3, 2), tmp_path)


def test_an_activation_of_any_width_is_refused(tmp_path):
    assert refusal(Sketch(3).quant(32).dense(3, 2), tmp_path) == (
        "Quant_0: a bit width of 32.0 is not supported; use 1 to 24"
    )


# The comparison with qonnx.


@pytest.mark.parametrize("name", ["Trunc", "MultiThreshold", "Quant", "BipolarQuant"])
def test_another_definition_is_found(name, tmp_path, monkeypatch):
    operator = table()[name]

    def other(node, values, given):
        return operator.definition(node, values + 0.26, given)

    changed = {**table(), name: type(operator)(**{**vars(operator), "definition": other})}
    monkeypatch.setattr("bonn_hw.frontend.standard_onnx.table", lambda: changed)
    sketch = Sketch(3).quant(4)
    networks = {
        "Trunc": lambda: sketch.trunc(1.0, 4, 2),
        "MultiThreshold": lambda: sketch.dense(3, 3).thresholds(steps(3)),
        "Quant": lambda: sketch,
        "BipolarQuant": lambda: sketch.dense(3, 3).sign(),
    }
    with pytest.raises(InternalError, match=f"this {name} was read as another quantiser"):
        lowered(networks[name]().dense(3, 2), tmp_path)
