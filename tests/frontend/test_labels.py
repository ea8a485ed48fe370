# SPDX-License-Identifier: BSD-3-Clause
"""Labels that the accelerator selects: equal to the model's own ArgMax or TopK."""

import json

import numpy as np
import onnx
import pytest

from bonn_hw import frontend, pipeline, verification
from bonn_hw.cli.main import main
from bonn_hw.errors import UnsupportedModel, UserError
from bonn_hw.frontend.numpy_host import tail_of
from tests.support.sketch import Sketch, kernels


def scores(scale=0.3):
    sketch = Sketch(2, 3, 3).quant(4, scale=0.5).conv(4, 2, (2, 2)).norm(4, 1).sign().flatten()
    return sketch.dense(16, 7, "last", scale).add("Mul", np.float32(0.7)).add("Sub", np.float32(2))


def read(sketch, folder, count):
    """The model with labels, written and read again."""
    file = sketch.write(folder)
    proto = frontend.with_labels(onnx.load(file), count)
    file.write_bytes(proto.SerializeToString())
    return frontend.read(file)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("opset", [11, 17])
def test_labels_of_scores(count, opset, tmp_path):
    sketch = scores()
    sketch.opset = opset
    model = read(sketch, tmp_path, count)
    result = frontend.lower(model, labels=count)
    assert kernels(result)[-1] == "label_select"
    images = sketch.images(60, -9, 9, 0.5)
    labels = result.host.decode(result.graph.run(result.host.encode(images)))
    assert (labels.dtype, labels.shape) == (np.int64, (60, count))
    np.testing.assert_array_equal(labels, result.reference.run(images))
    assert len(np.unique(labels)) > 3


@pytest.mark.parametrize(
    ("selector", "given", "shape"),
    [("ArgMax", {"axis": 1, "keepdims": 0}, (12,)), ("ArgMax", {"axis": -1}, (12, 1))],
)
def test_a_model_that_ends_in_labels(selector, given, shape, tmp_path):
    sketch = scores().add(selector, **given)
    model = read(sketch, tmp_path, 1)
    assert sum(node.op_type == "ArgMax" for node in model.nodes) == 1
    result = frontend.lower(model, labels=1)
    images = sketch.images(12, -9, 9, 0.5)
    labels = result.host.decode(result.graph.run(result.host.encode(images)))
    assert labels.shape == shape
    np.testing.assert_array_equal(labels, result.reference.run(images))


def test_a_label_for_each_pixel(tmp_path):
    sketch = Sketch(2, 3, 4).quant(4).conv(5, 2, (1, 1), name="last").add("ArgMax", axis=1)
    result = frontend.lower(read(sketch, tmp_path, 1), labels=1)
    images = sketch.images(9)
    labels = result.host.decode(result.graph.run(result.host.encode(images)))
    assert labels.shape == (9, 1, 3, 4)
    np.testing.assert_array_equal(labels, result.reference.run(images))


REMEDY = (
    "use one scale for all classes and no bias by class, for example a norm of one channel "
    "(TensorNorm in Brevitas' examples), or leave the labels to the host"
)


@pytest.mark.parametrize(
    ("change", "count", "message"),
    [
        (
            lambda sketch: sketch.add("Add", np.arange(7, dtype=np.float32)),
            1,
            "the scores of last have scales or constants by class, so that their order is not that "
            f"of the sums: {REMEDY}",
        ),
        (
            lambda sketch: sketch.add("Relu"),
            1,
            f"the operators between last and labels do not rise with every sum: {REMEDY}",
        ),
        (
            lambda sketch: sketch.add("Softmax", axis=1),
            1,
            "behind the last layer and its elementwise operators the model has Softmax, ArgMax, "
            "not only an ArgMax or TopK: end it with its scores",
        ),
        (
            lambda sketch: sketch.add("ArgMax", axis=1, name="class"),
            2,
            "class selects 1, not 2: use --labels-on-chip 1",
        ),
        (
            lambda sketch: sketch.add("ArgMax", axis=1, select_last_index=1, name="class"),
            1,
            "class does not select the largest channels, sorted; use axis=1",
        ),
    ],
)
def test_labels_that_are_refused(change, count, message, tmp_path):
    with pytest.raises(UnsupportedModel) as error:
        frontend.lower(read(change(scores()), tmp_path, count), labels=count)
    assert str(error.value) == f"--labels-on-chip: {message}"


def test_classes_are_counted_of_scores_only(tmp_path):
    """What ends in labels, or has several outputs, has a message of its own."""
    several = scores()
    several.outputs = [several.nodes[-2].output[0], several.last]
    for sketch in (scores().add("ArgMax", axis=1), several):
        frontend.check_count(frontend.read(sketch.write(tmp_path)), 8)
    model = frontend.read(scores().write(tmp_path))
    frontend.check_count(model, 7)
    with pytest.raises(UserError, match="8 labels of 7 classes"):
        frontend.check_count(model, 8)


def test_several_outputs_are_refused(tmp_path):
    sketch = scores()
    sketch.outputs = [sketch.nodes[-2].output[0], sketch.last]
    with pytest.raises(UserError, match=r"has several outputs .* keep the scores only"):
        read(sketch, tmp_path, 1)


@pytest.mark.rtl
def test_compiled_simulated_and_reported(tmp_path, capsys):
    """From the command line, with the driver's layout."""
    sketch = scores()
    file, out = sketch.write(tmp_path), tmp_path / "build"
    given = ["--board", "pynq-z2", "--fps", "500000", "--labels-on-chip"]
    assert main(["compile", str(file), "--out", str(out), *given, "8"]) == 2
    assert "--labels-on-chip: 8 labels of 7 classes; use fewer" in capsys.readouterr().err
    assert main(["compile", str(file), "--out", str(out), *given, "3"]) == 0
    build = pipeline.Build.load(out)
    images = sketch.images(20, -9, 9, 0.5)
    answers = verification.simulate(build, images)
    np.testing.assert_array_equal(answers.rtl, answers.integer)
    np.testing.assert_array_equal(answers.y, answers.qonnx)
    assert answers.y.shape == (20, 3)
    report = json.loads((out / "report.json").read_text())
    assert answers.run.interval == report["cycles_per_frame"]["predicted"]
    tail = tail_of(build.host, build.design.graph.tensors[build.design.graph.output])
    assert tail.ends_before == ""
