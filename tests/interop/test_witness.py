# SPDX-License-Identifier: BSD-3-Clause
"""FINN as a witness: equal where it is right; three known defects by name; all else fails."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from bonn_hw import frontend
from bonn_hw.boards import board
from bonn_hw.cli.main import main
from bonn_hw.interop import crosscheck, finn_defects, finn_environment
from bonn_hw.interop.finn_result import run_finn
from bonn_hw.ir.target import Target
from bonn_hw.pipeline import read_model
from tests.support import finn
from tests.support.tfc import write_tfc

TARGET = Target(board("pynq-z2"), 100.0, 1000)


@pytest.fixture(scope="module")
def images():
    """One frame of each brightness, as files of a user are."""
    return np.linspace(-1, 1, 4, dtype=np.float32)[:, None, None, None] * np.ones(
        (1, 28, 28), np.float32
    )


def shown(model, images=None):
    finn.need()
    return crosscheck.crosscheck(model, images, 4, TARGET)


def threshold_at(folder, sum_of_first):
    """TFC with one neuron of the first layer that turns on at another sum."""
    model = onnx.load(write_tfc(folder))
    norm = next(node for node in model.graph.node if node.op_type == "BatchNormalization")
    constants = {one.name: one for one in model.graph.initializer}
    gamma, beta, mean, variance = (
        numpy_helper.to_array(constants[name]).copy() for name in norm.input[1:5]
    )
    beta[3] = (mean[3] - sum_of_first) * gamma[3] / np.sqrt(variance[3])
    constants[norm.input[2]].CopyFrom(numpy_helper.from_array(beta, norm.input[2]))
    onnx.save(model, folder / "model.onnx")
    return folder / "model.onnx"


@pytest.mark.finn
def test_the_network_of_the_zoo_is_equal(images, tmp_path, capsys):
    finn.need()
    np.save(tmp_path / "images.npy", images)
    command = [
        "witness",
        str(write_tfc(tmp_path)),
        "--inputs",
        str(tmp_path / "images.npy"),
        "--random",
        "4",
    ]
    assert main([*command, "--json", str(tmp_path / "out.json")]) == 0
    facts = json.loads((tmp_path / "out.json").read_text())
    assert facts["verdict"] == "equal"
    assert facts["frames"] == {"real": 4, "random": 4}
    assert [layer["node"] for layer in facts["layers"]] == [f"MVAU_{i}" for i in range(4)]
    counts = [(layer["finn"], layer["alone"]) for layer in facts["layers"]]
    assert counts == [(0, 0)] * 4
    assert [layer["qonnx"] for layer in facts["layers"]] == [0, 0, 0, 0]
    assert facts["answers"]["frames_that_differ_from_qonnx"] == 0
    assert [row["cycles"]["ours"] for row in facts["estimates"]] == [
        row["cycles"]["finn"] for row in facts["estimates"]
    ]
    assert "every layer is equal" in capsys.readouterr().out


@pytest.mark.finn
def test_convolutions_and_pools_are_equal(tmp_path):
    found = shown(finn.small_cnn().write(tmp_path))
    assert found.verdict == "equal"
    kinds = [layer.layer for layer in found.layers]
    assert kinds == [
        *("sliding_window_0", "mvu_0", "sliding_window_1", "mvu_1", "max_pool_0", "mvu_2")
    ]


@pytest.mark.finn
def test_padding_with_true_zeros(tmp_path):
    found = shown(finn.small_cnn(pads=(1, 1, 1, 1)).write(tmp_path))
    verdicts = {layer.layer: layer.verdict for layer in found.layers}
    assert found.verdict == "defects"
    assert verdicts["mvu_0"] == "equal"  # integers are padded with 0 in FINN too
    assert verdicts["mvu_1"] == "defect"
    (padded,) = (layer for layer in found.layers if layer.layer == "mvu_1")
    assert padded.defects == (finn_defects.PADDING,)
    assert padded.finn == padded.alone > 0 == padded.qonnx
    assert {layer.alone for layer in found.layers[6:]} == {0}


@pytest.mark.finn
@pytest.mark.parametrize(
    ("limit", "defect"), [(-900, finn_defects.ALWAYS_ON), (415, finn_defects.CLIPPED)]
)
def test_thresholds_that_finn_gets_wrong(limit, defect, tmp_path):
    found = shown(threshold_at(tmp_path, limit))
    assert found.verdict == "defects"
    assert found.layers[0].defects == (defect,)
    assert {layer.verdict for layer in found.layers[1:]} == {"equal"}


@pytest.mark.finn
def test_a_clipped_threshold_that_frames_meet(tmp_path):
    """Popcounts of 512 to 599 answer wrongly in FINN, and the clipped threshold explains all."""
    model = threshold_at(tmp_path, 415)
    proto = onnx.load(model)
    lowered = frontend.lower(read_model(model))
    weights = lowered.graph.nodes[0].kernel.weights[3]
    frames = np.where(weights > 0, 0.9, 0.1).astype(np.float32).reshape(1, 1, 28, 28)
    frames = np.repeat(frames, 3, axis=0)
    for place, wrong in enumerate((200, 230, 400)):  # pairs that do not agree
        flat = frames[place].reshape(-1)
        flat[:wrong] = 1 - flat[:wrong]
    assert proto.graph.input
    first = shown(model, frames).layers[0]
    assert first.defects == (finn_defects.CLIPPED,)
    assert first.finn == first.alone == 2
    assert first.verdict == "defect"


@pytest.mark.finn
def test_any_other_difference_fails(tmp_path, monkeypatch):
    """A witness that says something else, in one value of one layer."""
    finn.need()

    def lies(*arguments):
        result = run_finn(*arguments)
        (node,) = (one for one in result.nodes if one.name == "MVAU_1")
        values = result.tensors[node.output].copy()
        values[0, 0] = 1 - values[0, 0]
        return replace(result, tensors={**result.tensors, node.output: values})

    monkeypatch.setattr(crosscheck.finn_result, "run_finn", lies)
    found = crosscheck.crosscheck(write_tfc(tmp_path), None, 2, TARGET)
    assert found.verdict == "differs"
    verdicts = [layer.verdict for layer in found.layers]
    assert verdicts[:2] == ["equal", "differs"]


def test_without_finn(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv(finn_environment.VARIABLE, str(tmp_path))
    assert main(["witness", str(write_tfc(tmp_path))]) == 2
    told = capsys.readouterr().err
    assert f"FINN's environment is not in {tmp_path}: run 'make finn-env'" in told
