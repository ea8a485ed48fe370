# SPDX-License-Identifier: BSD-3-Clause
"""What is behind the last matrix layer runs on the host, whatever it is."""

import numpy as np
import pytest

from bonn_hw import frontend
from bonn_hw.driver.steps import evaluate
from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend import numpy_host
from bonn_hw.frontend.numpy_host import tail_of
from bonn_hw.frontend.outputs import JOINED
from tests.support.sketch import Sketch, agree, kernels


def images(*behind, channels=4):
    """An image of 1/2 times integers, with a norm, and operators behind it."""
    sketch = Sketch(2, 6, 6, seed=1).quant(4, scale=0.5).sign().conv(channels, 2).norm(channels)
    for kind, operands, attributes in behind:
        sketch.add(kind, *operands, **attributes)
    return sketch


def classes(*behind):
    sketch = Sketch(6, seed=2).quant(4, scale=0.5).sign().dense(6, 5)
    for kind, operands, attributes in behind:
        sketch.add(kind, *operands, **attributes)
    return sketch


ONE = np.array([1], np.int64)
SLICE = (np.array([1]), np.array([3]), ONE)
IMAGES = {
    "GlobalAveragePool": [("GlobalAveragePool", (), {})],
    "AveragePool": [("Relu", (), {}), ("AveragePool", (), {"kernel_shape": (4, 4)})],
    "DepthToSpace": [("DepthToSpace", (), {"blocksize": 2, "mode": "CRD"})],
    "linear Resize": [
        (
            "Resize",
            (np.zeros(0, np.float32), np.array([1, 1, 2, 2], np.float32)),
            {"mode": "linear"},
        )
    ],
    "Slice": [("Slice", SLICE, {})],
    "ArgMax of pixels": [("ArgMax", (), {"axis": 1, "keepdims": 0})],
    "ReduceMax": [("ReduceMax", (), {"axes": (2, 3), "keepdims": 0})],
    "Pad": [("Pad", (np.array([0, 0, 1, 1, 0, 0, 1, 1]), np.float32(0)), {})],
}
CLASSES = {
    "Softmax": [("Softmax", (), {"axis": 1})],
    "LogSoftmax": [("LogSoftmax", (), {"axis": 1})],
    "Sigmoid": [("Sigmoid", (), {})],
    "ArgMax": [("ArgMax", (), {"axis": 1, "keepdims": 0})],
    "ArgMax of Softmax": [("Softmax", (), {"axis": 1}), ("ArgMax", (), {"axis": 1})],
    "ReduceSum": [("ReduceSum", (ONE,), {"keepdims": 0})],
}


@pytest.mark.parametrize("name", IMAGES)
def test_images_at_the_end(tmp_path, name):
    result = agree(images(*IMAGES[name]), tmp_path)
    assert kernels(result)[-1] == "mvu" and result.host.tail is not None


@pytest.mark.parametrize("name", CLASSES)
def test_classes_at_the_end(tmp_path, name):
    sketch = classes(*CLASSES[name])
    result = agree(sketch, tmp_path, np.round(sketch.images()[:, :6] / 40).astype(np.float32))
    assert kernels(result)[-1] == "mvu"


def top(sketch, *outputs, k=2):
    """FINN's notebooks end in a TopK: the classes of the largest scores."""
    sketch.add("TopK", np.array([k], np.int64))
    sketch.nodes[-1].output[:] = ["scores", "best"]
    sketch.last = outputs[-1]
    sketch.outputs = list(outputs)
    return sketch


def test_the_classes_of_a_top_k(tmp_path):
    result = agree(top(classes(), "best"), tmp_path)
    assert result.host.decode(np.zeros((1, 1, 1, 5), np.int64)).tolist() == [[0, 1]]
    assert [(one.name, one.shape, one.dtype) for one in result.host.outputs] == [
        ("best", (2,), "int64")
    ]


def joined(sketch, folder, frames):
    """Lower a model with several outputs; returns them by name, and by qonnx."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.transformation.infer_shapes import InferShapes

    from tests.support.qonnx_sessions import execute_onnx

    model = frontend.read(sketch.write(folder))
    assert model.output == JOINED
    lowered = frontend.lower(model)
    values = lowered.host.decode(lowered.graph.run(lowered.host.encode(frames)))
    wrapper = ModelWrapper(sketch.proto()).transform(InferShapes())
    rows = [execute_onnx(wrapper, {"x": frame[None]}) for frame in frames]
    expected = {name: np.concatenate([row[name] for row in rows]) for name in sketch.outputs}
    return lowered, lowered.host.by_name(values), expected


def same(got, expected):
    assert list(got) == list(expected)
    for name, value in expected.items():
        assert got[name].dtype == value.dtype
        np.testing.assert_array_equal(got[name], value)


def test_scores_and_classes_as_two_outputs(tmp_path):
    sketch = top(classes(), "scores", "best")
    same(*joined(sketch, tmp_path, sketch.images()[:, :6])[1:])


def test_logits_and_their_softmax_as_two_outputs(tmp_path):
    sketch = classes()
    logits = sketch.last
    sketch.add("Softmax", axis=1)
    sketch.outputs = [logits, sketch.last]
    same(*joined(sketch, tmp_path, sketch.images()[:, :6])[1:])


def heads(first, second):
    """Two heads on one trunk, each with its own Flatten; what the two are is given."""
    sketch = Sketch(2, 4, 4, seed=3).quant(4, scale=0.5).conv(3, 2).sign()
    trunk = sketch.last
    for head in (first, second):
        sketch.last = trunk
        head(sketch.flatten())
        sketch.outputs.append(sketch.last)
    return sketch


def test_two_heads_on_one_trunk_are_one_layer(tmp_path):
    sketch = heads(
        lambda s: s.dense(12, 2, "a", scale=0.5), lambda s: s.few_bit_dense(12, 3, "b").norm(3)
    )
    lowered, got, expected = joined(sketch, tmp_path, sketch.images())
    same(got, expected)
    assert kernels(lowered).count("mvu") == 2 and lowered.graph.nodes[-1].origin == "a+b"


def test_two_convolutions_as_heads_that_are_joined_in_the_model(tmp_path):
    sketch = Sketch(2, 4, 4, seed=3).quant(4, scale=0.5).conv(3, 2).sign()
    trunk = sketch.last
    sketch.conv(2, 3, (1, 1), "boxes")
    boxes, sketch.last = sketch.last, trunk
    sketch.conv(4, 3, (1, 1), "classes").add("Sigmoid")._behind(
        "Concat", [boxes, sketch.last], "all", axis=1
    )
    result = agree(sketch, tmp_path)
    assert kernels(result).count("mvu") == 2


def test_sums_of_different_layers_are_outputs_together(tmp_path):
    sketch = Sketch(6, seed=2).quant(4, scale=0.5).sign().dense(6, 5)
    sketch.outputs = [sketch.last]
    sketch.sign().dense(5, 3, "last")
    sketch.outputs.append(sketch.last)
    lowered, got, expected = joined(sketch, tmp_path, sketch.images())
    same(got, expected)
    assert kernels(lowered)[-1] == "concat"


def test_outputs_of_different_layers_are_refused_if_one_is_no_integer(tmp_path):
    sketch = Sketch(6, seed=2).quant(4, scale=0.5).sign().dense(6, 5)
    middle = sketch.last
    sketch.outputs = [sketch.norm(5).last]
    sketch.last = middle
    sketch.sign().dense(5, 3, "last")
    sketch.outputs.append(sketch.last)
    with pytest.raises(UnsupportedModel, match="come from different layers") as caught:
        frontend.lower(frontend.read(sketch.write(tmp_path)))
    assert f"the outputs '{sketch.outputs[0]}', '{sketch.last}'" in str(caught.value)


def test_what_is_before_the_last_matrix_layer_is_still_refused(tmp_path):
    sketch = classes(("Softmax", (), {"axis": 1})).quant(4, scale=1 / 16).dense(5, 3)
    with pytest.raises(UnsupportedModel, match="operator Softmax is not supported here"):
        frontend.lower(frontend.read(sketch.write(tmp_path)))


def test_a_tail_that_is_random_is_refused(tmp_path):
    with pytest.raises(UnsupportedModel, match="operator Bernoulli is not supported here"):
        frontend.lower(frontend.read(classes(("Bernoulli", (), {})).write(tmp_path)))


def test_an_output_that_mixes_frames_is_refused(tmp_path):
    sketch = classes(("ReduceMax", (), {"axes": (0,), "keepdims": 1}))
    with pytest.raises(UnsupportedModel, match="keep the batch axis as the first one"):
        frontend.lower(frontend.read(sketch.write(tmp_path)))


@pytest.mark.parametrize(
    ("sketch", "before"),
    [
        (images(*IMAGES["DepthToSpace"]), ""),
        (images(*IMAGES["Slice"]), ""),
        (images(*IMAGES["ArgMax of pixels"]), ""),
        (images(*IMAGES["ReduceMax"]), ""),
        (images(*IMAGES["GlobalAveragePool"]), "GlobalAveragePool"),
        (classes(*CLASSES["ArgMax"]), ""),
        (classes(*CLASSES["Softmax"]), "Softmax"),
        (top(classes(), "best"), ""),
        (top(classes(), "scores", "best", k=3), ""),
        (heads(lambda s: s.dense(12, 2), lambda s: s.dense(12, 3).add("Sigmoid")), ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_driver_computes_of_it(tmp_path, sketch, before):
    """NumPy on the board: all of it bit for bit, or it ends before an operator that it names."""
    lowered = frontend.lower(frontend.read(sketch.write(tmp_path)))
    kind = lowered.graph.tensors[lowered.graph.output]
    tail = tail_of(lowered.host, kind)
    assert tail.ends_before.split(" ")[0] == before
    rng = np.random.default_rng(9)
    integers = rng.integers(kind.element.low, kind.element.high + 1, (20, *kind.shape))
    order = lowered.host.decode_order.reshape(-1)
    values = tail.table[np.arange(order.size), integers.reshape(20, -1)[:, order] - tail.low]
    values = values.reshape(20, *tail.shape)
    if tail.steps:
        one = tail.steps
        values = evaluate(one.steps, one.constants, values, one.entry, one.exit)
    expected = tail.host.decode(integers)
    assert values.dtype == expected.dtype
    np.testing.assert_array_equal(values, expected)
    if not before:
        np.testing.assert_array_equal(values, lowered.host.decode(integers))


@pytest.mark.parametrize("change", [lambda y: y[::-1], lambda y: y.astype(np.float64)])
def test_an_operator_that_numpy_computes_differently_is_left_to_others(
    change, tmp_path, monkeypatch
):
    """In its values, or in their type alone."""
    lowered = frontend.lower(frontend.read(images(*IMAGES["DepthToSpace"]).write(tmp_path)))
    monkeypatch.setattr(numpy_host, "evaluate", lambda *given: change(evaluate(*given)))
    tail = tail_of(lowered.host, lowered.graph.tensors[lowered.graph.output])
    assert tail.steps is None and tail.ends_before.startswith("DepthToSpace (")


def test_averages_of_many_frames_are_rounded_as_in_the_reference(tmp_path):
    """ONNX Runtime's ReduceMean rounds otherwise in batches of another size."""
    sketch = classes(("Mul", (np.float32(0.3),), {}), ("ReduceMean", (), {"axes": (1,)}))
    lowered = frontend.lower(frontend.read(sketch.write(tmp_path)))
    frames = np.random.default_rng(4).integers(-8, 8, (300, 6)).astype(np.float32)
    answers = lowered.host.decode(lowered.graph.run(lowered.host.encode(frames)))
    np.testing.assert_array_equal(answers, lowered.reference.run(frames))
