# SPDX-License-Identifier: BSD-3-Clause
"""Everything that a user can get wrong: exit code 2, one message, nothing written, nothing lost."""

import json
import shutil

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from bonn_hw import files
from bonn_hw.cli.main import main
from bonn_hw.errors import UserError


def tiny_model(path, *, activation=None, pad_mode=None):
    """A dense network on 6 bits: BipolarQuant, MatMul, sign, MatMul."""
    rng = np.random.default_rng(0)
    one = numpy_helper.from_array(np.float32(1), "one")
    weights = [
        numpy_helper.from_array(rng.choice([-1.0, 1.0], shape).astype(np.float32), name)
        for name, shape in (("w0", (6, 4)), ("w1", (4, 3)))
    ]
    nodes = [
        helper.make_node(
            "BipolarQuant", ["x", "one"], ["b"], "in", domain="qonnx.custom_op.general"
        ),
        helper.make_node("MatMul", ["b", "w0"], ["a"], "dense0"),
        *(activation or []),
        helper.make_node(
            "BipolarQuant",
            ["t" if activation else "a", "one"],
            ["s"],
            "sign0",
            domain="qonnx.custom_op.general",
        ),
        helper.make_node("MatMul", ["s", "w1"], ["y"], "dense1"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
        [one, *weights],
    )
    imports = [helper.make_opsetid("", 13), helper.make_opsetid("qonnx.custom_op.general", 1)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def model(tmp_path):
    return tiny_model(tmp_path / "model.onnx")


@pytest.fixture
def build(tmp_path, model):
    out = tmp_path / "build"
    assert main(["compile", str(model), "--fps", "1000000", "--out", str(out)]) == 0
    return out


def fails(capsys, *arguments):
    """Run a command that must end with exit code 2 and one message; return the message."""
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("bonn-hw: ")
    return lines[0].removeprefix("bonn-hw: ")


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "cannot be read: No such file or directory"),
        (lambda path: path.write_bytes(path.read_bytes()[:-40]), "is not an ONNX file, or a trunc"),
        (lambda path: path.write_bytes(b"\x00" * 100), "is not an ONNX file, or a"),
        (lambda path: path.write_bytes(b""), "is not an ONNX file, or an empty one"),
        (lambda path: path.write_text("import os; os.abort()"), "is not an ONNX file, or a"),
    ],
)
def test_unreadable_models(spoil, message, model, build, tmp_path, capsys):
    before = contents(build)
    spoil(model)
    text = fails(capsys, "compile", model, "--fps", 1000, "--out", build)
    assert str(model) in text and message in text
    assert contents(build) == before
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == []


def test_unsupported_operator(tmp_path, capsys):
    softmax = [helper.make_node("Softmax", ["a"], ["t"], "odd")]
    path = tiny_model(tmp_path / "m.onnx", activation=softmax)
    text = fails(capsys, "compile", path, "--fps", 1000, "--out", tmp_path / "out")
    assert "odd" in text and "Softmax" in text
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("folding", "message"),
    [
        ({"conv7": {"PE": 1, "SIMD": 1}}, "there is no layer 'conv7'; the layers are mvu_0, mvu_1"),
        (
            {"mvu_0": {"PE": 3, "SIMD": 1}},
            "mvu_0 (dense0) cannot have PE 3 and SIMD 1: PE must be ",
        ),
        ({"mvu_0": {"PE": 0, "SIMD": 1}}, "PE and SIMD are positive integers"),
    ],
)
def test_folding_files(folding, message, model, tmp_path, capsys):
    path = tmp_path / "folding.json"
    path.write_text(json.dumps(folding))
    arguments = ("compile", model, "--folding", path, "--fps", 1000, "--out", tmp_path / "out")
    assert message in fails(capsys, *arguments)


def test_frames_per_second_out_of_reach(model, tmp_path, capsys):
    text = fails(capsys, "compile", model, "--fps", 2e8, "--out", tmp_path / "out")
    assert "mvu_0 (dense0) needs 1 cycles per frame at full parallelism" in text


def test_neither_rate_nor_folding(model, tmp_path, capsys):
    text = fails(capsys, "compile", model, "--out", tmp_path / "out")
    assert text == (
        "compile: give --fps or --max-fps, or foldings for the layers with --folding FILE.json"
    )


def test_unknown_board(model, tmp_path, capsys):
    text = fails(capsys, "compile", model, "--fps", 9, "--board", "z9", "--out", tmp_path / "out")
    assert text.startswith(
        "board 'z9' is not known; choose one of alveo-u250, arty-a7-100t, arty-a7-35t, aup-zu3"
    )


def test_a_folder_that_is_no_build_is_left_alone(model, tmp_path, capsys):
    out = tmp_path / "precious"
    out.mkdir()
    (out / "thesis.txt").write_text("ten years")
    text = fails(capsys, "compile", model, "--fps", 1000, "--out", out)
    assert "exists and is not a build" in text
    assert contents(out) == {(out / "thesis.txt").relative_to(out): b"ten years"}


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 6)), "float64"),
        (np.zeros((2, 7), np.float32), "(N, 6)"),
        (np.float32(1), "(N, 6)"),
        (np.full((2, 6), np.nan, np.float32), "NaN"),
        (np.array([{}]), "cannot be read as a NumPy array"),
    ],
)
def test_inputs(array, message, build, tmp_path, capsys):
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    before = contents(build)
    outputs = tmp_path / "y.npy"
    text = fails(capsys, "simulate", build, "--inputs", tmp_path / "x.npy", "--outputs", outputs)
    assert message in text
    assert contents(build) == before and not outputs.exists()


def test_a_build_that_is_none(tmp_path, capsys):
    text = fails(capsys, "simulate", tmp_path, "--dataset", "digits")
    assert text == f"{tmp_path} is not a build: make one with 'bonn-hw compile MODEL --out'"


def test_missing_tools(build, tmp_path, capsys, monkeypatch):
    np.save(tmp_path / "x.npy", np.zeros((1, 6), np.float32))
    command = ("simulate", build, "--inputs", tmp_path / "x.npy")
    monkeypatch.setenv("BONN_HW_VERILATOR", "/nowhere")
    assert "BONN_HW_VERILATOR=/nowhere is not a program" in fails(capsys, *command)
    monkeypatch.delenv("BONN_HW_VERILATOR")
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    assert "no C++ compiler found" in fails(capsys, *command)


def test_a_full_disk_leaves_the_earlier_build(model, build, capsys, monkeypatch):
    before = contents(build)

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bonn_hw.pipeline.write_project", full)
    text = fails(capsys, "compile", model, "--fps", 10, "--out", build)
    assert text == (
        f"cannot write {build}: No space left on device; what was there before is unchanged: make "
        "room or choose another place, and run the command again"
    )
    assert contents(build) == before


@pytest.mark.parametrize("moment", ["filling", "replacing"])
def test_a_rerun_after_a_kill_starts_clean(build, moment, tmp_path):
    """What a killed process leaves: a partial folder, or the old one already moved away."""
    before = contents(build)
    partial = tmp_path / ".build.partial-0123456789ab"
    partial.mkdir()
    (partial / "rubbish").write_text("")
    if moment == "replacing":
        build.rename(tmp_path / ".build.replaced-0123456789ab")
    with pytest.raises(UserError, match="stop"), files.fresh_folder(build) as folder:
        assert list(folder.iterdir()) == []
        raise UserError("stop")
    assert contents(build) == before
    assert list(tmp_path.glob(".build*")) == []


def test_interrupt_keeps_the_earlier_build(model, build, monkeypatch, capsys):
    before = contents(build)

    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("bonn_hw.pipeline.write_project", interrupt)
    assert main(["compile", str(model), "--fps", "10", "--out", str(build)]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert contents(build) == before


def test_names_inside_a_model_never_become_paths(tmp_path):
    path = tiny_model(tmp_path / "m.onnx")
    import onnx

    proto = onnx.load_model_from_string(path.read_bytes())
    for node in proto.graph.node:
        node.name = f"../../../{node.name}"
    path.write_bytes(proto.SerializeToString())
    out = tmp_path / "deep" / "out"
    assert main(["compile", str(path), "--fps", "1000", "--out", str(out)]) == 0
    found = {p.relative_to(tmp_path).parts[0] for p in tmp_path.rglob("*")}
    assert found == {"m.onnx", "deep"}
    shutil.rmtree(tmp_path / "deep")


def test_weights_in_another_file_are_not_followed(model, tmp_path, capsys):
    import onnx

    proto = onnx.load_model_from_string(model.read_bytes())
    tensor = proto.graph.initializer[1]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.ClearField("raw_data")
    tensor.external_data.add(key="location", value="/etc/passwd")
    model.write_bytes(proto.SerializeToString())
    text = fails(capsys, "compile", model, "--fps", 10, "--out", tmp_path / "out")
    assert "w0" in text and "another file" in text


def test_weights_of_a_folder_that_is_allowed(model, tmp_path, capsys):
    import onnx

    proto, data = onnx.load_model_from_string(model.read_bytes()), tmp_path / "data"
    data.mkdir()
    given = {"location": "weights", "size_threshold": 0, "all_tensors_to_one_file": True}
    onnx.save(proto, data / "model.onnx", save_as_external_data=True, **given)
    command = ["compile", data / "model.onnx", "--fps", 10, "--out", tmp_path / "out"]
    assert "--external-data FOLDER" in fails(capsys, *command)
    assert main([str(word) for word in (*command, "--external-data", data)]) == 0
    built = onnx.load(tmp_path / "out" / "model.onnx", load_external_data=False)
    assert [one.data_location for one in built.graph.initializer] == [TensorProto.DEFAULT] * 3
    assert main(["check", str(data / "model.onnx"), "--external-data", str(data)]) == 0
