# SPDX-License-Identifier: BSD-3-Clause
"""The networks of zoo/ are what their logs say, and small."""

import json
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")
pytest.importorskip("sklearn")

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.change_batchsize import ChangeBatchSize
from qonnx.transformation.infer_shapes import InferShapes

from bonn_hw.nn.export import export
from bonn_hw.nn.figures.plot import plot
from bonn_hw.nn.figures.run_reader import TrainingRun
from bonn_hw.nn.training.checkpoint import Checkpoint
from tests.support.qonnx_sessions import execute_onnx

ZOO = Path(__file__).parents[3] / "zoo"
NETWORKS = [
    "digits",
    *(
        pytest.param(f"fashion_{name}", marks=pytest.mark.data)
        for name in ("cnv", "sfc", "tfc", "wrn22")
    ),
]


def test_every_network_is_tested():
    names = [getattr(n, "values", (n,))[0] for n in NETWORKS]
    assert sorted(p.name for p in ZOO.iterdir() if p.is_dir()) == names


def accuracies(name):
    """That of the log, and that of the weights."""
    checkpoint = Checkpoint.load(ZOO / name)
    metrics = json.loads((ZOO / name / "metrics.json").read_text())
    test = checkpoint.test_set()
    assert metrics["tested"] == "test"
    return metrics["accuracy"], checkpoint.accuracy(test.images, test.labels)


@pytest.mark.data
@pytest.mark.parametrize("name", ["digits", "fashion_sfc", "fashion_tfc"])
def test_accuracy_is_that_of_the_log(name):
    logged, measured = accuracies(name)
    assert logged == measured


@pytest.mark.data
@pytest.mark.large
@pytest.mark.parametrize("name", ["fashion_cnv", "fashion_wrn22"])
def test_accuracy_of_a_large_network_is_that_of_the_log(name):
    logged, measured = accuracies(name)
    assert logged == measured


@pytest.mark.parametrize("name", NETWORKS)
def test_folders_are_small_and_whole(name):
    files = {path.name: path.stat().st_size for path in (ZOO / name).iterdir()}
    assert set(files) == {
        *("experiment.toml", "kernels.json", "metrics.csv", "metrics.json", "weights.npz"),
    }
    assert sum(files.values()) < 400_000
    run = TrainingRun.load(ZOO / name, name)
    assert run.layers and run.kernels and run.metrics


@pytest.mark.parametrize(
    "name",
    [
        "digits",
        *(
            pytest.param(f"fashion_{n}", marks=pytest.mark.large)
            for n in ("wrn22", "cnv", "sfc", "tfc")
        ),
    ],
)
def test_folders_are_drawable(name, tmp_path):
    assert plot(ZOO / name, tmp_path)


@pytest.mark.large
@pytest.mark.data
def test_hardware_form_answers_alike_in_qonnx_and_pytorch(tmp_path):
    """The residual network in the form for hardware, on real images, with ==."""
    checkpoint = Checkpoint.load(ZOO / "fashion_wrn22")
    result = export(checkpoint, tmp_path / "m.onnx")
    assert result.ties == ()
    images = checkpoint.test_set(10).images
    model = ModelWrapper(str(result.path)).transform(ChangeBatchSize(10)).transform(InferShapes())
    logits = execute_onnx(model, {"global_in": images})["global_out"]
    assert np.array_equal(logits, checkpoint.predict(images))
