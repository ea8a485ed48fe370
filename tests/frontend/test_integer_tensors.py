# SPDX-License-Identifier: BSD-3-Clause
"""QuantizeLinear and DequantizeLinear, with what is between them, against ONNX Runtime."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from bonn_hw import frontend
from bonn_hw.errors import InternalError, UnsupportedModel
from bonn_hw.frontend import execute
from bonn_hw.frontend.operators import quantize_linear
from tests.support.sketch import Sketch, agree, kernels, lowered

WEIGHTS = np.random.default_rng(7)


def dequantized(sketch, shape, scale=0.125, zero=0, bits=4, kind=np.int8, **given):
    """Integer weights behind a DequantizeLinear; returns the name of the floats."""
    span = 2 ** (bits - 1)
    integers = WEIGHTS.integers(zero - span, zero + span, shape).astype(kind)
    zeros = np.full(np.shape(scale), zero, kind)
    names = [sketch.constant(one) for one in (integers, np.float32(scale), zeros)]
    output = f"w{len(sketch.nodes)}"
    sketch.nodes.append(helper.make_node("DequantizeLinear", names, [output], **given))
    return output


def behind(sketch, kind, weights, name="", **given):
    return sketch._behind(kind, [sketch.last, weights], name, **given)


def by_runtime(sketch, frames):
    """ONNX Runtime on the file, which has standard operators only."""
    session = execute.session(sketch.proto())
    return np.concatenate([session.run([sketch.last], {"x": one[None]})[0] for one in frames])


def equal(sketch, folder, scale=1.0):
    """Check that graph, reference and ONNX Runtime on the file answer the same."""
    frames = sketch.images(step=scale)
    result = lowered(sketch, folder)
    answers = result.host.decode(result.graph.run(result.host.encode(frames)))
    np.testing.assert_array_equal(answers, result.reference.run(frames))
    np.testing.assert_array_equal(answers, by_runtime(sketch, frames))
    return result


@pytest.mark.parametrize(
    ("zero", "opset"), [(np.int8(0), 10), (np.int8(-5), 13), (np.uint8(0), 19), (np.uint8(100), 17)]
)
def test_qdq(zero, opset, tmp_path):
    sketch = Sketch(2, 4, 4, opset=opset).qdq(0.5, zero)
    given = {"pads": [1, 1, 1, 1]} if zero == 100 else {}
    weights = sketch.constant(sketch.signs(3, 2, 3, 3))
    behind(sketch, "Conv", weights, kernel_shape=(3, 3), **given).add("Relu").qdq(2.0, np.uint8(3))
    size = 3 * (16 if given else 4)
    equal(sketch.flatten().dense(size, 2), tmp_path, 0.5)


@pytest.mark.parametrize("opset", [12, 17])
def test_a_clip_narrows_the_integers(opset, tmp_path):
    sketch = (
        Sketch(5, opset=opset)
        .qdq(0.25, np.int8(0), (-8, 7))
        .dense(5, 4)
        .qdq(1.0, np.uint8(2), (0, 3))
    )
    result = equal(sketch.dense(4, 2), tmp_path, 0.25)
    assert (result.host.element.low, result.host.element.high) == (-8, 7)
    element = result.graph.tensors["requantize_0_out"].element
    assert (element.low, element.high) == (-2, 1)
    assert kernels(result) == ["mvu", "requantize", "mvu"]


def test_another_scale_behind(tmp_path):
    equal(Sketch(5).qdq(0.25, np.int8(1), after=0.5).dense(5, 3), tmp_path, 0.25)


def test_a_pool_between(tmp_path):
    sketch = Sketch(2, 4, 4).qdq(0.5, np.int8(0)).conv(2, 2, pads=[1] * 4)
    sketch.add("QuantizeLinear", np.float32(2), np.int8(1)).pool().flatten()
    equal(sketch.add("DequantizeLinear", np.float32(2), np.int8(1)).dense(8, 2), tmp_path, 0.5)


@pytest.mark.parametrize(("zero", "kind"), [(0, np.int8), (3, np.int8), (128, np.uint8)])
def test_weights(zero, kind, tmp_path):
    sketch = Sketch(2, 4, 4).qdq(0.5, np.int8(0))
    behind(sketch, "Conv", dequantized(sketch, (3, 2, 3, 3), zero=zero, kind=kind))
    sketch.qdq(2.0, np.int8(0)).flatten()
    equal(behind(sketch, "MatMul", dequantized(sketch, (12, 2), 0.5)), tmp_path, 0.5)


def test_weights_by_channel(tmp_path):
    sketch = Sketch(2, 4, 4).qdq(0.5, np.int8(0))
    scales = [0.125, 0.25, 0.5]
    behind(sketch, "Conv", dequantized(sketch, (3, 2, 3, 3), scales, axis=0))
    sketch.qdq(2.0, np.int8(0)).flatten()
    weights = dequantized(sketch, (12, 2), [0.5, 1.0], axis=1)
    equal(behind(sketch, "MatMul", weights), tmp_path, 0.5)


def test_scales_of_the_inputs_of_square_weights(tmp_path):
    sketch = Sketch(3).qdq(0.5, np.int8(0))
    weights = dequantized(sketch, (3, 3), [0.1, 0.2345, 0.34567], axis=0)
    with pytest.raises(UnsupportedModel, match="nor multiples of one scale"):
        lowered(behind(sketch, "MatMul", weights, "fc"), tmp_path)


def test_a_bias_of_32_bits(tmp_path):
    sketch = Sketch(3).qdq(0.5, np.int8(0))
    bias = dequantized(sketch, (4,), 0.0625, bits=16, kind=np.int32)
    weights = dequantized(sketch, (3, 4))
    sketch._behind("Gemm", [sketch.last, weights, bias], "fc").qdq(4.0, np.int8(0), (-8, 7))
    equal(sketch.dense(4, 2), tmp_path, 0.5)


def test_float_weights_that_are_quantised_in_the_file(tmp_path):
    sketch = Sketch(4).qdq(0.5, np.int8(0))
    floats = sketch.random.normal(0, 1, (4, 3)).astype(np.float32)
    scale, zero = sketch.constant(np.float32(0.25)), sketch.constant(np.int8(0))
    names = [sketch.constant(floats), scale, zero]
    sketch.nodes.append(helper.make_node("QuantizeLinear", names, ["q"]))
    ends = [sketch.constant(np.int8(end)) for end in (-8, 7)]
    sketch.nodes.append(helper.make_node("Clip", ["q", *ends], ["c"]))
    sketch.nodes.append(helper.make_node("DequantizeLinear", ["c", scale, zero], ["w"]))
    equal(behind(sketch, "MatMul", "w"), tmp_path, 0.5)


def test_bits_among_them(tmp_path):
    sketch = Sketch(2, 4, 4).qdq(0.5, np.int8(0)).bit_conv(3, 2).norm(3).sign()
    agree(sketch.flatten().bit_dense(12, 2), tmp_path)


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (
            ("QuantizeLinear", np.float32([1, 2, 3, 4]), np.zeros(4, np.int8)),
            "odd: quantises with a scale per channel; use one scale for all channels",
        ),
        (
            ("QuantizeLinear", np.float32(0), np.int8(0)),
            "odd: the scale of a quantiser must be positive and finite",
        ),
    ],
)
def test_what_is_refused(node, text, tmp_path):
    sketch = Sketch(4).add(*node, name="odd")
    with pytest.raises(UnsupportedModel) as error:
        lowered(sketch.add("DequantizeLinear", *node[1:]).dense(4, 2), tmp_path)
    assert str(error.value) == text


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda node: node.input.pop(), ""),
        (lambda node: [node.input.pop() for _ in range(2)], "q: QuantizeLinear lacks its scale"),
        (
            lambda node: node.input.__setitem__(1, "x"),
            "q: the parameter 'x' of QuantizeLinear is computed from the data; quantisers need",
        ),
    ],
)
def test_parameters_that_are_missing(change, text, tmp_path):
    sketch = Sketch(4).add("QuantizeLinear", np.float32(1), np.uint8(0), name="q")
    change(sketch.nodes[-1])
    sketch.add("DequantizeLinear", np.float32(1), np.uint8(0)).dense(4, 2)
    if not text:  # the zero point may be missing
        equal(sketch, tmp_path)
        return
    with pytest.raises(UnsupportedModel) as error:
        lowered(sketch, tmp_path)
    assert str(error.value).startswith(text)


def test_types_that_are_no_integers(tmp_path):
    sketch = Sketch(4, opset=19)
    sketch.add("QuantizeLinear", np.float32(1), name="odd")
    sketch.nodes[-1].attribute.append(helper.make_attribute("output_dtype", TensorProto.FLOAT8E5M2))
    with pytest.raises(UnsupportedModel, match="odd: quantises to float8_e5m2, which is not supp"):
        frontend.read(sketch.dense(4, 2).write(tmp_path))


@pytest.mark.parametrize("name", ["quantize", "dequantize"])
def test_another_meaning_is_found(name, tmp_path, monkeypatch):
    real = quantize_linear.by_onnx

    def other(node, kind):
        nodes = real(node, kind)
        if node.op_type.lower().startswith(name):
            for one in nodes:
                one.input[1:3] = [] if one.op_type == "Cast" else ["other", *one.input[2:3]]
        return nodes

    monkeypatch.setattr(quantize_linear, "by_onnx", other)
    sketch = Sketch(4).qdq(0.5, np.int8(0))
    sketch.constants["other"] = np.float32(0.75)
    with pytest.raises(InternalError, match="was read as another one"):
        lowered(sketch.dense(4, 2), tmp_path)
