# SPDX-License-Identifier: BSD-3-Clause
"""A build in FINN's form: FINN executes it exactly, and reading it back gives the same design."""

import json

import numpy as np
import onnx
import pytest

from bonn_hw import frontend, pipeline
from bonn_hw.cli.main import main
from bonn_hw.errors import UnsupportedModel
from bonn_hw.interop.finn_writer import dataflow_graph
from bonn_hw.pipeline import read_model
from tests.support import finn
from tests.support.sketch import Sketch
from tests.support.tfc import write_tfc

MODELS = ("tfc", "cnn", "padded cnn", "1-bit cnn")


def model_of(name, folder):
    if name == "tfc":
        return write_tfc(folder)
    if name == "1-bit cnn":
        made = Sketch(3, 9, 9).sign().bit_conv(6, 3, pads=(1, 1, 1, 1)).norm(6).sign()
        return made.flatten().bit_dense(6 * 81, 5).write(folder)
    return finn.small_cnn(pads=(1, 1, 1, 1) if name == "padded cnn" else (0, 0, 0, 0)).write(folder)


@pytest.fixture(scope="module", params=MODELS)
def case(request, tmp_path_factory):
    """A model, its build, and what was written of it."""
    folder = tmp_path_factory.mktemp("written")
    model, build = model_of(request.param, folder), folder / "build"
    assert main(["compile", str(model), "--fps", "60000", "--out", str(build)]) == 0
    assert main(["export-finn", str(build)]) == 0
    return model, build


def test_reading_it_back_gives_the_same_design(case, tmp_path):
    model, build = case
    written = build / "finn" / "hardware.onnx"
    again = tmp_path / "again"
    (top,) = (path.stem for path in (build / "rtl").glob("*_top.v"))
    command = ["compile", str(written), "--keep-folding", "--top", top, "--out", str(again)]
    assert main(command) == 0
    first, second = pipeline.Build.load(build), pipeline.Build.load(again)
    assert first.design == second.design
    for file in sorted((build / "rtl").rglob("*")):
        if file.is_file():
            other = again / file.relative_to(build)
            assert other.read_bytes() == file.read_bytes(), file.name
    frames = first.host.random_frames(20)
    np.testing.assert_array_equal(first.host.encode(frames), second.host.encode(frames))
    answers = [read_model(path).run(frames) for path in (model, written)]
    np.testing.assert_array_equal(*(one.reshape(20, -1) for one in answers))


@pytest.mark.finn
def test_finn_executes_folds_and_estimates_it(case, tmp_path):
    model, build = case
    frames = pipeline.Build.load(build).host.random_frames(4)
    np.save(tmp_path / "frames.npy", frames)
    written = build / "finn"
    finn.run("estimates.py", written / "hardware.onnx", tmp_path / "frames.npy", tmp_path,
             written / "folding.json", "xc7z020clg400-1")  # fmt: skip
    answers = np.load(tmp_path / "answers.npy")
    expected = read_model(model).run(frames)
    np.testing.assert_array_equal(answers.reshape(expected.shape), expected)
    estimates = json.loads((tmp_path / "estimates.json").read_text())
    stages = {stage.name: stage for stage in pipeline.Build.load(build).design.stages}
    for number in range(sum(name.startswith("mvu_") for name in stages)):
        assert estimates[f"MVAU_{number}"]["cycles"] == stages[f"mvu_{number}"].cycles


def test_a_graph_of_the_same_build_is_the_same(case):
    _, folder = case
    build = pipeline.Build.load(folder)
    one, other = (
        dataflow_graph(build.design, build.host).SerializeToString(deterministic=True)
        for _ in range(2)
    )
    assert one == other == (folder / "finn" / "hardware.onnx").read_bytes()
    kinds = {node.op_type for node in onnx.load_from_string(one).graph.node}
    assert "Gather" not in kinds  # classes in their order need none


def test_true_zeros_need_three_values(tmp_path):
    model = model_of("padded cnn", tmp_path)
    assert main(["compile", str(model), "--fps", "1000", "--out", str(tmp_path / "b")]) == 0
    assert main(["export-finn", str(tmp_path / "b"), "--out", str(tmp_path / "finn")]) == 0
    graph = onnx.load(tmp_path / "finn" / "hardware.onnx").graph
    kinds = {
        node.name: next(one.s for one in node.attribute if one.name == "inputDataType")
        for node in graph.node
        if node.op_type in ("MVAU", "FMPadding")
    }
    assert (
        kinds
        == {
            "FMPadding_0": b"INT8",
            "MVAU_0": b"INT8",
            "FMPadding_1": b"INT2",
            "MVAU_1": b"INT2",
            "MVAU_2": b"INT2",  # the pool's bits are those of the padded stream's kind
        }
        or kinds["MVAU_2"] == b"BINARY"
    )


def several_bits(name):
    """Weights and activations of several bits; on bits, or with a sum of branches and averages."""
    sides = {"strides": (1, 1), "dilations": (1, 1), "group": 1, "pads": (1, 1, 1, 1)}
    made = Sketch(2, 6, 6).quant(4, scale=1 / 8)
    made.few_bit_conv(4, 2, bits=3, scale=0.25, **sides).norm(4, spread=1.0)
    if name == "bits":
        made.sign().few_bit_conv(4, 4, bits=2, scale=0.5, **sides).norm(4, spread=1.0).sign()
        made.bit_conv(4, 4, pads=(1, 1, 1, 1)).quant(4, scale=1.0).pool(pads=(0, 0, 0, 0))
        return made.flatten().few_bit_dense(36, 5, bits=4)
    made.add("Relu").quant(3, signed=0, scale=0.5)
    branch = made.last
    made.few_bit_conv(4, 4, bits=2, scale=0.5, **sides).norm(4, spread=1.0)
    made.quant(3, signed=1, scale=0.5, narrow=1).join(branch).quant(3, signed=1, scale=1.0)
    made.add("AveragePool", kernel_shape=(2, 2), strides=(2, 2)).quant(3, scale=0.5)
    made.bit_conv(4, 4, (1, 1)).norm(4, spread=1.0).quant(3, scale=0.5)
    made.add("GlobalAveragePool").quant(5, scale=0.125)
    return made.flatten().few_bit_dense(4, 5, bits=4)


@pytest.mark.finn
@pytest.mark.parametrize("name", ["bits", "sums and averages"])
def test_several_bits_are_written_and_read(name, tmp_path):
    """FINN's answers are the model's; and so are those of the written graph, compiled again."""
    model, out = several_bits(name).write(tmp_path), tmp_path / "b"
    assert main(["compile", str(model), "--fps", "20000", "--out", str(out)]) == 0
    assert main(["export-finn", str(out)]) == 0
    build = pipeline.Build.load(out)
    frames = build.host.random_frames(6)
    expected = read_model(model).run(frames)
    assert len(np.unique(expected, axis=0)) > 1
    np.save(tmp_path / "frames.npy", frames)
    written = out / "finn"
    finn.run("estimates.py", written / "hardware.onnx", tmp_path / "frames.npy", tmp_path,
             written / "folding.json", "xc7z020clg400-1")  # fmt: skip
    answers = np.load(tmp_path / "answers.npy")
    np.testing.assert_array_equal(answers.reshape(expected.shape), expected)
    kinds = {node.op_type for node in onnx.load(written / "hardware.onnx").graph.node}
    assert "Thresholding" in kinds
    assert ({"ElementwiseAdd", "GlobalAccPool", "DuplicateStreams"} <= kinds) == (name != "bits")
    again = frontend.lower(read_model(written / "hardware.onnx"))
    got = again.host.decode(again.graph.run(again.host.encode(frames)))
    np.testing.assert_array_equal(got.reshape(expected.shape), expected)
    stems = [node.kernel.stem for node in again.graph.nodes]
    assert stems == [
        stage.node.kernel.stem
        for stage in build.design.stages
        if stage.node.kernel.stem not in ("fifo", "width_converter")
    ]


def test_what_finn_does_not_express_is_refused(tmp_path, capsys):
    made = Sketch(2, 6, 6).quant(8, scale=1 / 128).few_bit_conv(4, 2).norm(4).sign()
    made.pool(kernel=(2, 2), strides=(1, 1))
    model = made.flatten().bit_dense(36, 3).write(tmp_path)
    assert main(["compile", str(model), "--fps", "1000", "--out", str(tmp_path / "b")]) == 0
    assert main(["export-finn", str(tmp_path / "b")]) == 2
    message = capsys.readouterr().err
    assert "overlapping windows of a pool cannot be written in FINN's form" in message
    assert not (tmp_path / "b" / "finn").exists()
    build = pipeline.Build.load(tmp_path / "b")
    with pytest.raises(UnsupportedModel, match="max_pool_0"):
        dataflow_graph(build.design, build.host)


@pytest.mark.parametrize("name", ["a sequence", "channels last", "a flat image"])
def test_layouts_of_the_input(tmp_path, name):
    shape = {"a sequence": (2, 8), "channels last": (4, 4, 2), "a flat image": (32,)}[name]
    sketch = Sketch(*shape, seed=3).quant(4, scale=0.5)
    if name == "channels last":
        sketch.add("Transpose", perm=(0, 3, 1, 2))
    if name == "a flat image":
        sketch.add("Reshape", np.array([1, 2, 4, 4]))
    kernel = (3,) if name == "a sequence" else (3, 3)
    outputs = 18 if name == "a sequence" else 12
    model = sketch.conv(3, 2, kernel).sign().flatten().dense(outputs, 2).write(tmp_path)
    build = tmp_path / "build"
    assert main(["compile", str(model), "--fps", "60000", "--out", str(build)]) == 0
    assert main(["export-finn", str(build)]) == 0
    frames = sketch.images()
    written = read_model(build / "finn" / "hardware.onnx")
    np.testing.assert_array_equal(written.run(frames), read_model(model).run(frames))
