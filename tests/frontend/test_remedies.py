# SPDX-License-Identifier: BSD-3-Clause
"""What a refusal or a note says to do is done here, and works."""

import numpy as np
import pytest
from onnx import helper

from bonn_hw import frontend
from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend import requantization
from tests.support.sketch import Sketch, agree, lowered


def refusal(sketch, folder):
    with pytest.raises(UnsupportedModel) as error:
        frontend.lower(frontend.read(sketch.write(folder)))
    return str(error.value)


def block(binary):
    sketch = Sketch(2, 4, 4).quant(4, scale=0.25)
    entry = sketch.last
    sketch.conv(2, 2, pads=[1] * 4, name="conv1")
    sketch = sketch.sign(0.25, "act") if binary else sketch.quant(4, scale=0.25)
    return sketch.join(entry, "sum").quant(5, scale=0.25).flatten().few_bit_dense(32, 3)


@pytest.mark.parametrize("binary", [False, True])
def test_bits_and_integers_are_added(binary, tmp_path):
    agree(block(binary), tmp_path)


def averaged(several):
    sketch = Sketch(2, 4, 4).quant(4).conv(3, 2, name="conv1").sign()
    sketch = sketch.quant(2) if several else sketch
    return sketch.add("GlobalAveragePool", name="mean").quant(4, scale=0.25).flatten().dense(3, 2)


@pytest.mark.parametrize("several", [False, True])
def test_bits_are_averaged(several, tmp_path):
    agree(averaged(several), tmp_path)


def relu(bits):
    """A 1-bit QuantReLU as Brevitas exports it: a ReLU before a binary quantiser."""
    sketch = Sketch(3, 4, 4).quant(4).conv(4, 3, name="conv1").add("Relu")
    sketch = sketch.sign() if bits == 1 else sketch.quant(bits, signed=0, scale=4.0)
    return sketch.flatten().few_bit_dense(16, 3, "last")


def test_a_layer_without_information_is_told(tmp_path):
    result = agree(relu(1), tmp_path)
    assert [(note.layer, note.kind, note.channels) for note in result.notes] == [
        ("conv1", "constant", (0, 1, 2, 3))
    ]
    assert result.findings == (
        "conv1: the activation has the same value for every input in all 4 channels; the layer "
        "carries no information. Brevitas exports a 1-bit QuantReLU like this: use a QuantIdentity "
        "with a binary quantiser, or a QuantReLU of 2 bits",
    )
    assert agree(relu(2), tmp_path).notes == ()


def test_some_constant_channels_are_told_in_one_line(tmp_path):
    sketch = Sketch(5).quant(4).dense(5, 6, "fc1").norm(6, 1, gamma=[1, 0, 0, 0, 0, 0]).sign()
    result = lowered(sketch.dense(6, 2, "last"), tmp_path)
    assert result.findings == (
        "fc1: the activation has the same value for every input in 5 of 6 channels (1, 2, 3, 4, "
        "...); these channels carry no information, and could be pruned",
    )
    sketch = Sketch(5).quant(4).dense(5, 2, "fc1").add("Mul", np.float32([0, 1])).quant(3)
    (note,) = lowered(sketch.few_bit_dense(2, 2), tmp_path).notes
    assert (note.kind, note.channels, note.of) == ("constant", (0,), 2)


def test_a_layer_before_the_input_is_quantised(tmp_path):
    sketch = Sketch(3, 4, 5).conv(2, 3, name="first").quant(4)
    assert refusal(sketch.flatten().dense(12, 2), tmp_path).startswith(
        "the input 'x' is not quantised before first: put a quantiser there"
    )


def test_one_bit_weights_of_an_integer_quantiser(tmp_path):
    sketch = Sketch(4).quant(4)
    names = [sketch.constant(sketch.signs(4, 2)), sketch.constant(np.float32(np.inf))]
    node = helper.make_node("BipolarQuant", names, ["w"], "weights", domain=sketch.domain)
    sketch.nodes.append(node)
    with pytest.raises(UnsupportedModel) as error:
        frontend.read(sketch._behind("MatMul", [sketch.last, "w"], "fc1").write(tmp_path))
    assert str(error.value) == (
        "weights: the scale of a quantiser must be positive and finite; for 1-bit weights Brevitas "
        "needs a binary quantiser, such as SignedBinaryWeightPerTensorConst"
    )
    agree(Sketch(4).quant(4).bit_dense(4, 2), tmp_path)


def wide(bits):
    sketch = Sketch(6).quant(16).few_bit_dense(6, 2, "fc1", bits=bits, scale=1.0)
    sketch.add("Abs")  # rises and falls, so that it is evaluated for every sum
    return sketch.quant(4, scale=2.0**16).few_bit_dense(2, 2)


def test_sums_of_too_many_values(tmp_path):
    assert refusal(wide(16), tmp_path).startswith("Quant_4: the sums before it take ")
    assert refusal(wide(16), tmp_path).endswith(
        " values, and it is evaluated for each; at most 67108864 are supported: use fewer bits or "
        "fewer inputs"
    )
    agree(wide(2), tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_last_scale_that_is_no_number(value, tmp_path):
    def model(scale):
        return Sketch(4).quant(4).dense(4, 2, "fc1").add("Mul", np.float32(scale), name="scale")

    assert refusal(model(value), tmp_path) == (
        "scale: a scale, bias or other constant behind the last matrix layer is NaN or infinite: "
        "train or export the model again"
    )
    agree(model(0.5), tmp_path)


def test_weights_that_are_no_numbers(tmp_path):
    sketch = Sketch(4).quant(4)
    sketch.add("MatMul", np.array([[1, -1], [1, np.nan], [1, 1], [-1, 1]], np.float32), name="fc1")
    assert refusal(sketch, tmp_path) == (
        "fc1: its weights contain NaN or infinity: train or export the model again"
    )


def test_a_flatten_that_takes_the_batch_along(tmp_path):
    sketch = Sketch(2, 2, 2).quant(4).add("Flatten", axis=0).dense(8, 2, "last")
    assert "MatMul dimension mismatch" in refusal(sketch, tmp_path)


def test_bits_that_rise_and_fall_beyond_tables(tmp_path, monkeypatch):
    def model(last):
        sketch = Sketch(9).quant(4).dense(9, 5, "fc1")
        return last(sketch.add("Mul", np.float32([1, 2, 3, 4, 5]))).dense(5, 2, "last")

    monkeypatch.setattr(requantization, "LARGEST_TABLE", 1 << 6)
    peak = model(lambda sketch: sketch.add("Abs").add("Sub", np.float32(9)).sign())
    assert refusal(peak, tmp_path) == (
        "fc1: its values need more than 64 bits of tables to be quantised exactly, because they "
        "rise and fall; use an activation that only rises, such as a ReLU, or inputs and weights "
        "of fewer bits"
    )
    agree(model(lambda sketch: sketch.add("Relu").add("Sub", np.float32(9)).sign()), tmp_path)


def sixteen(bits):
    """16-bit activations of sums of 33 bits, which float32 rounds: no line computes them."""
    sketch = Sketch(3).quant(16, scale=2.0**-13).few_bit_dense(3, 8, "fc1", bits=16, scale=2.0**-16)
    return sketch.quant(bits, scale=2.0**-13).few_bit_dense(8, 2, "last")


def test_a_quantiser_of_many_bits_on_sums_that_float32_rounds(tmp_path, monkeypatch):
    monkeypatch.setattr(requantization, "LARGEST_TABLE", 1 << 12)  # so that the search is short
    assert refusal(sixteen(10), tmp_path) == (
        "fc1: its values need more than 4096 bits of tables to be quantised exactly: use a "
        "quantiser of at most 3 bits there"
    )
    agree(sixteen(3), tmp_path)


def test_pads_with_zero_below_the_lowest_output(tmp_path):
    """The thresholds are so low that the output is at least 1; zero costs no bit."""
    sketch = Sketch(1, 3, 3).quant(3, signed=0).thresholds([[-1, 2, 4]], kind="UINT2")
    agree(sketch.conv(2, 1, pads=[1] * 4).sign().flatten().dense(18, 2), tmp_path)
