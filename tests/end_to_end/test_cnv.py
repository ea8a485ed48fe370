# SPDX-License-Identifier: BSD-3-Clause
"""CNV at full size: padded and trained on real images, and with FINN's folding."""

from pathlib import Path

import numpy as np
import pytest

from bonn_hw import pipeline, verification
from bonn_hw.boards import board
from bonn_hw.report.merge import with_simulated
from bonn_hw.report.simulation import PyTorch, simulated
from bonn_hw.report.values import Mismatches

pytestmark = [pytest.mark.rtl, pytest.mark.torch, pytest.mark.slow]
DATA = Path(__file__).parent.parent / "data"
FLOWS = Path(__file__).parent.parent.parent / "flows" / "experiments"


def trained():
    """The checkpoint of tests/data: signs are all that a 1-bit layer uses of its weights."""
    import torch

    from bonn_hw.nn.models.networks import build
    from bonn_hw.nn.training.checkpoint import Checkpoint

    network = build("cnv_padded", in_channels=1)
    with np.load(DATA / "fashion_cnv_padded.npz") as arrays:
        state = {}
        for name, like in network.state_dict().items():
            value = arrays[name]
            if value.dtype == np.uint8:
                value = np.unpackbits(value, count=like.numel()).reshape(like.shape) * 2.0 - 1.0
            state[name] = torch.from_numpy(np.asarray(value)).to(like.dtype)
    network.load_state_dict(state)
    return Checkpoint(network.eval())


@pytest.mark.data
def test_padded_cnv_answers_as_pytorch_on_real_images(tmp_path):
    """12 of the 10,000 test images; docs/equality.md names the command for all of them."""
    from bonn_hw.nn.data import datasets
    from bonn_hw.nn.export import export

    checkpoint = trained()
    export(checkpoint, tmp_path / "cnv.onnx")
    target = pipeline.Target(board("pynq-z2"), 100.0, 6000.0)
    report = pipeline.compile_model(tmp_path / "cnv.onnx", target, tmp_path / "build")
    assert (tmp_path / "build" / "report.html").stat().st_size < 2_000_000  # to mail
    tests = datasets.load("fashion-mnist", "test").first(12).transformed("pad32")
    build = pipeline.Build.load(tmp_path / "build")
    answers = verification.simulate(build, tests.images, jobs=1)  # a second one fills it too
    pytorch = PyTorch(checkpoint.predict(tests.images), checkpoint.accumulators(tests.images))
    stages = [layer.name for layer in report.layers]
    found = simulated(stages, answers, tests.labels, pytorch)
    assert found.comparison.mismatches_between == Mismatches(0, 0, 0)
    accuracy = found.accuracy
    assert accuracy.pytorch == accuracy.integer == accuracy.rtl > 0.7
    report = with_simulated(report, found)
    for figure in (report.cycles_per_frame, report.latency_cycles):
        assert figure.simulated == figure.predicted
    assert report.cycles_per_frame.simulated <= 100e6 / 6000


def test_cnv_with_finns_folding_needs_32768_cycles(tmp_path):
    from benchmarks.__main__ import lively
    from bonn_hw.nn.export import export
    from bonn_hw.nn.models.networks import build as network
    from bonn_hw.nn.training.checkpoint import Checkpoint

    checkpoint = Checkpoint(lively(network("cnv", in_channels=3)).eval())
    export(checkpoint, tmp_path / "cnv.onnx")
    target = pipeline.Target(board("pynq-z2"), 100.0, None)
    foldings = FLOWS / "cnv_finn_folding.json"
    report = pipeline.compile_model(tmp_path / "cnv.onnx", target, tmp_path / "build", foldings)
    levels = np.random.default_rng(0).integers(-128, 128, (8, 3, 32, 32))
    images = (levels / 128).astype(np.float32)
    answers = verification.simulate(pipeline.Build.load(tmp_path / "build"), images)
    np.testing.assert_array_equal(answers.rtl.reshape(8, -1), checkpoint.accumulators(images))
    np.testing.assert_array_equal(answers.y, answers.qonnx)
    assert answers.run.interval == report.cycles_per_frame.predicted == 32768
    assert answers.run.latency == report.latency_cycles.predicted
    folded = {
        (layer.pe, layer.simd, layer.cycles.predicted)
        for layer in report.layers
        if layer.kernel == "mvu"
    }
    assert (16, 3, 32400) in folded and (1, 8, 32768) in folded
