# SPDX-License-Identifier: BSD-3-Clause
"""`bonn_hw.Model` and `bonn_hw.Build` on a QONNX file: no PyTorch is needed."""

import numpy as np
import pytest

import bonn_hw
from bonn_hw import pipeline
from tests.support.sketch import Sketch


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api")
    sketch = Sketch(2, 4, 4).sign().conv(3, 2, name="stage.0/Conv").sign(name="stage.1/Quant")
    sketch = sketch.add("Flatten", axis=1).dense(12, 5, "last")
    model = bonn_hw.Model(str(sketch.write(folder)))
    build = model.compile("pynq-z2", 100_000, out=folder / "build", progress=False)
    x = sketch.random.choice(np.array([-1, 1], np.float32), (7, 2, 4, 4))
    return model, build, x


def test_predict_is_what_the_model_answers(made):
    model, build, x = made
    y = pipeline.read_model(model.path).run(x)
    np.testing.assert_array_equal(build.predict(x), y)
    np.testing.assert_array_equal(build.predict(x.astype(np.float64)), y)
    np.testing.assert_array_equal(build.predict(x.astype(int).tolist()), y)
    with pytest.raises(bonn_hw.UserError, match=r"the model takes the shape \(N, 2, 4, 4\), not"):
        build.predict(x[0])
    with pytest.raises(bonn_hw.UserError, match="inputs: these are <U1, not numbers"):
        build.predict("x")


def test_random_frames_are_the_same_each_time(made):
    loaded = pipeline.Build.load(made[1].folder)
    frames = loaded.random_frames(6)
    np.testing.assert_array_equal(frames, loaded.random_frames(6))
    assert frames.shape == (6, 2, 4, 4) and len(np.unique(made[1].predict(frames), axis=0)) > 1


def test_layers_and_their_values(made):
    model, build, x = made
    by_name = {one.name: one for one in build.layers}
    assert by_name["mvu_0"].shape == (2, 2, 3) and by_name["mvu_0"].bits == 1
    assert by_name["mvu_1"].layer == "last" and by_name["mvu_1"].shape == (1, 1, 5)
    last = build.values(x, "last")
    np.testing.assert_array_equal(last.reshape(7, 5), build.predict(x))
    reference = pipeline.read_model(model.path).tensors(x, ["v2"])["v2"]  # behind the second sign
    for name in ("mvu_0", by_name["mvu_0"].layer, "stage"):
        hidden = build.values(x, by_name["mvu_0"].layer if name == "stage" else name)
        np.testing.assert_array_equal(hidden, reference.transpose(0, 2, 3, 1))
    with pytest.raises(bonn_hw.UserError, match=r"no layer 'lost' \(did you mean 'last'\?\); the"):
        build.values(x, "lost")


def test_a_module_names_its_layer(made):
    _, build, x = made
    module = next(one.layer for one in build.layers if one.name == "mvu_0").partition("/")[0]
    np.testing.assert_array_equal(build.values(x, module), build.values(x, "mvu_0"))


@pytest.mark.rtl
def test_simulate_and_compare(made, tmp_path):
    _, build, x = made
    steps = []
    run = build.simulate(x, jobs=1, progress=steps.append)
    assert run.equal and run.frames == 7 and run.accuracy is None
    assert steps[:2] == ["integer graph", "QONNX model"]
    np.testing.assert_array_equal(run.y, build.predict(x))
    assert run.cycles_per_frame == run.report.cycles_per_frame.predicted
    assert build.report.comparison.frames == 7
    assert repr(run) == f"<Simulation of 7 frames: equal, {run.cycles_per_frame} cycles per frame>"

    wrong = run.y.copy()
    wrong[3, 1] += 2
    labels = run.y.argmax(axis=1)
    found = build.compare(x, expected=wrong, labels=labels, stall=1, jobs=1, save=False)
    assert not found.equal and found.accuracy == 1.0
    assert [one.name for one in found.verdicts if one.failed] == ["RTL and expected outputs"]
    assert "FAILED  RTL and expected outputs: 1 of 7 frames differ" in str(found)
    assert repr(found).startswith("<Simulation of 7 frames: differs: RTL and expected outputs")
    assert found._repr_html_().count("<tr>") == len(found.verdicts)
    assert build.report.comparison.frames == 7 and build.report.accuracy == run.report.accuracy
    with pytest.raises(bonn_hw.UserError, match="classes are given with --labels"):
        build.compare(x, expected=labels)
    with pytest.raises(bonn_hw.UserError, match="give one whole number for each of the 7 frames"):
        build.compare(x, labels=labels[:2])
    with pytest.raises(bonn_hw.UserError, match=r"name a file that ends with \.fst or \.vcd"):
        build.simulate(x, trace=tmp_path / "w.txt")
    with pytest.raises(bonn_hw.UserError, match="exclude each other: compare twice"):
        build.compare(x, expected=wrong, torch=tmp_path)


def test_check_fold_and_front(made, tmp_path):
    model, _, _ = made
    check = model.check("pynq-z2", 1000, progress=False)
    assert check.most_fps > 1000 and "mvu_0" in str(check) and "mvu_0" in check._repr_html_()
    assert model.check(progress=False).most_fps is None
    report = model.fold("pynq-z2", 1000, out=tmp_path / "fold", progress=False)
    assert (tmp_path / "fold" / "folding.json").is_file()
    fixed = model.fold(folding=tmp_path / "fold" / "folding.json", progress=False)
    assert fixed.resources == report.resources
    assert len(model.front(progress=False).front) > 1
    for words, told in (
        ({}, r"fold: give fps=, max_fps=True, or foldings"),
        ({"fps": -1}, "fps=-1: give a positive number"),
        ({"fps": 5, "max_fps": True}, "exclude each other"),
        ({"max_fps": True, "latency_ms": 3}, "latency_ms= goes with fps="),
        ({"board": "pynq-z9", "fps": 5}, "board 'pynq-z9' is not known"),
    ):
        with pytest.raises(bonn_hw.UserError, match=told):
            model.fold(**words)
    with pytest.raises(bonn_hw.UserError, match="check: fps and clock_mhz need a board"):
        model.check(fps=5)


def test_short_texts(made):
    model, build, _ = made
    assert repr(model) == f"<Model {model.path}>"
    assert repr(build).startswith(f"<Build {build.folder}: pynq-z2 at 100 MHz, ")
    assert repr(build.report).startswith("<Report: pynq-z2 at 100 MHz, ")
    assert max(map(len, map(repr, (model, build, build.report, model.check())))) < 200
    assert "mvu_0" in str(build) and build._repr_html_().startswith("<pre")


def test_the_picture(made, tmp_path):
    picture = made[1].plot(tmp_path)
    assert picture.path == tmp_path / "layers.svg" and (tmp_path / "layers.png").is_file()
    assert picture._repr_html_().startswith("<svg")


def test_compile_by_default_beside_the_user(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build = made[0].compile(max_fps=True, progress=False)
    assert str(build.folder) == "build/model"
    assert bonn_hw.Build("build/model").report.target.fps is None


def test_what_is_no_model_and_no_build(tmp_path):
    with pytest.raises(bonn_hw.UserError, match="there is no such file"):
        bonn_hw.Model(tmp_path / "none.onnx")
    with pytest.raises(bonn_hw.UserError, match="is not a build: make one with"):
        bonn_hw.Build(str(tmp_path))


def test_a_model_without_a_quantiser_at_its_input(tmp_path):
    model = Sketch(4).dense(4, 3).write(tmp_path)
    with pytest.raises(bonn_hw.UserError, match="--input"):
        bonn_hw.Model(model).check()
    found = bonn_hw.Model(model, input="uint4/2").check()
    assert found.checked.lowered.graph.tensors["input"].element.high == 15
    with pytest.raises(bonn_hw.UserError, match="is no grid: give an integer type"):
        bonn_hw.Model(model, input="colours")
