# SPDX-License-Identifier: BSD-3-Clause
"""The reference's sums are exact, whatever PyTorch and ONNX Runtime do with theirs."""

import numpy as np
import pytest

from bonn_hw import frontend
from bonn_hw.frontend.reference import Reference
from tests.support.sketch import Sketch, lowered

BITS = np.array([-1.0, 1.0], np.float32)


def gemm(sketch, inputs, outputs, bias, name, alpha=1.0, scale=1.0, **attributes):
    weights = sketch.signs(inputs, outputs) * np.float32(scale)
    bias = np.asarray(bias, np.float32)
    return sketch.add("Gemm", weights, bias, name=name, alpha=alpha, **attributes)


def answers(sketch, folder, frames):
    """Of the file in ONNX Runtime, of the reference, and of the integers; and the notes."""
    model = frontend.read(sketch.write(folder))
    result = frontend.lower(model)
    integers = result.host.decode(result.graph.run(result.host.encode(frames)))
    plain, reference = model.run(frames), result.reference.run(frames)
    found = frontend.compare(model, result.reference, frames, reference, plain)
    assert not found.unexplained.any()
    return plain, reference, integers, result.notes


@pytest.mark.parametrize("inputs", [64, 288, 1024])
def test_a_bias_is_added_once_to_the_exact_sum(inputs, tmp_path):
    """ONNX Runtime adds it to blocks of 256 products."""
    sketch = Sketch(inputs).sign()
    bias = sketch.random.uniform(-1, 1, 10).astype(np.float32)
    gemm(sketch, inputs, 10, bias, "last")
    frames = sketch.random.choice(BITS, (100, inputs))
    plain, reference, integers, notes = answers(sketch, tmp_path, frames)
    weights = next(value for value in sketch.constants.values() if value.shape == (inputs, 10))
    np.testing.assert_array_equal(reference, (frames @ weights).astype(np.float32) + bias)
    np.testing.assert_array_equal(integers, reference)
    assert (plain != reference).any() == (inputs > 256)
    assert [note.kind for note in notes] == ["last digits"]


def test_a_bias_next_to_a_threshold_decides_by_the_exact_sum(tmp_path):
    sketch = gemm(Sketch(1024).sign(), 1024, 4, np.full(4, -1e-6), "hidden").sign()
    frames = sketch.random.choice(BITS, (300, 1024))
    sketch.dense(4, 2, name="last")
    plain, reference, integers, notes = answers(sketch, tmp_path, frames)
    np.testing.assert_array_equal(integers, reference)
    assert (plain != reference).any()  # ONNX Runtime loses the bias in a sum of zero
    assert [(note.layer, note.kind, note.channels) for note in notes] == [
        ("hidden", "rounding", (0, 1, 2, 3))
    ]


@pytest.mark.parametrize("bias", [[0.5, -3.0, 2.0], [0.3, 0.7, -0.1]])
def test_a_bias_of_a_convolution(bias, tmp_path):
    sketch = Sketch(29, 4, 4).sign()
    weights = sketch.signs(3, 29, 3, 3)
    sketch.add("Conv", weights, np.asarray(bias, np.float32), kernel_shape=(3, 3), name="conv")
    frames = sketch.random.choice(BITS, (20, 29, 4, 4))
    _, reference, integers, notes = answers(sketch, tmp_path, frames)
    np.testing.assert_array_equal(integers, reference)
    # Of halves every sum is exact in any order.
    assert [note.kind for note in notes] == (["last digits"] if 0.3 in bias else [])


@pytest.mark.parametrize("opset", [9, 17])
@pytest.mark.parametrize(("alpha", "scale"), [(1.0, 0.3), (3.0, 1 / 3), (0.5, 1.0)])
def test_scales_that_are_no_powers_of_two(alpha, scale, opset, tmp_path):
    """Also where the product of two such scales is one."""
    sketch = Sketch(48, opset=opset).quant(4, scale=0.1)
    gemm(sketch, 48, 5, np.linspace(-1, 1, 5), "hidden", alpha, scale).quant(3, scale=0.7)
    sketch.few_bit_dense(5, 3, "last", scale=0.37)
    frames = sketch.images(200, -10, 10, 0.1)
    _, reference, integers, notes = answers(sketch, tmp_path, frames)
    np.testing.assert_array_equal(integers, reference)
    assert notes[-1].kind == "last digits"


@pytest.mark.parametrize(("bits", "weight_bits"), [(16, 12), (20, 6), (12, 14), (22, 4)])
def test_sums_beyond_float32(bits, weight_bits, tmp_path):
    sketch = Sketch(2, 3, 3).quant(bits)
    sketch.few_bit_conv(2, 2, (2, 2), "wide", weight_bits, 1.0)
    frames = sketch.random.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (4, 2, 3, 3))
    _, reference, integers, _ = answers(sketch, tmp_path, frames.astype(np.float32))
    np.testing.assert_array_equal(integers, reference)
    assert np.abs(integers).max() > 2**24


@pytest.mark.parametrize("kind", ["AveragePool", "GlobalAveragePool", "ReduceMean"])
@pytest.mark.parametrize("scale", [0.25, 0.3])
@pytest.mark.parametrize("end", ["answers", "quantised"])
def test_averages(kind, scale, end, tmp_path):
    sketch = Sketch(3, 6, 6).quant(4, scale=0.5).conv(4, 3, scale=0.11).quant(4, scale=scale)
    given = {"AveragePool": {"kernel_shape": (3, 3)}, "ReduceMean": {"axes": [2, 3], "keepdims": 0}}
    sketch.add(kind, name="mean", **given.get(kind, {}))
    if kind == "AveragePool":
        sketch.flatten()
    if end == "quantised":
        sketch.quant(5, scale=0.07)
        if kind == "GlobalAveragePool":
            sketch.flatten()
        outputs = 16 if kind == "AveragePool" else 4
        sketch.few_bit_dense(outputs, 2, scale=0.3)
    frames = sketch.images(30, -8, 8, 0.5)
    _, reference, integers, _ = answers(sketch, tmp_path, frames)
    np.testing.assert_array_equal(integers, reference)


def test_sums_of_two_branches(tmp_path):
    sketch = Sketch(3, 5, 5).quant(4, scale=0.3)
    entry = sketch.last
    sketch.few_bit_conv(3, 3, name="conv", pads=[1] * 4, scale=0.19).quant(4, scale=0.3)
    sketch.join(entry, "sum").quant(4, scale=0.3).flatten().few_bit_dense(75, 2, "last")
    frames = sketch.images(40, -8, 8, 0.3)
    _, reference, integers, notes = answers(sketch, tmp_path, frames)
    np.testing.assert_array_equal(integers, reference)
    assert {note.layer for note in notes} >= {"last"}


def test_it_comes_back_from_its_file(tmp_path):
    sketch = Sketch(12).quant(4, scale=0.1).few_bit_dense(12, 4, "hidden", scale=0.3)
    sketch.quant(3, scale=0.7).few_bit_dense(4, 2, "last", scale=0.3)
    result = lowered(sketch, tmp_path)
    again = Reference.from_bytes(result.reference.to_bytes())
    frames = sketch.images(5, -8, 8, 0.1)
    np.testing.assert_array_equal(again.run(frames), result.reference.run(frames))
    assert (again.sums, again.integers) == (result.reference.sums, result.reference.integers)
    assert [one.layer for one in again.sums] == ["hidden", "last"]
    assert [one.scale for one in again.integers][:1] == [(float(np.float32(0.1)),)]
