# SPDX-License-Identifier: BSD-3-Clause
"""WRN-22 in the form for hardware: PyTorch, QONNX, integers and RTL agree on every image."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.calibration import calibrated
from bonn_hw import frontend, pipeline, verification
from bonn_hw.boards import board
from bonn_hw.report.simulation import PyTorch, simulated
from bonn_hw.report.values import Mismatches
from bonn_hw.tools import cores

pytestmark = [pytest.mark.rtl, pytest.mark.torch, pytest.mark.data, pytest.mark.slow]
ZOO = Path(__file__).parent.parent.parent / "zoo"
# Images of each run that are compared before the RTL; at night all are.
INTEGERS = 40
# Frames through the RTL without stalls, and with stalls (of two seeds).
SIMULATED, STALLED = 200, 40
# Enough for the steady state, and one seed; one process, as every process fills the pipeline.
FEW = 4, 1
# What its training left.
DEAD = (
    "stage1_4_stream: the activation has the same value for every input in 1 of 16 channels (15); "
    "these channels carry no information, and could be pruned"
)


def colour(images):
    """Images ``(N, 1, 28, 28)`` as ``(N, 3, 32, 32)``: bordered in black, the same three times."""
    bordered = np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2)), constant_values=-1.0)
    return bordered.repeat(3, axis=1)


@pytest.fixture(scope="module")
def images():
    """The 10,000 test images of Fashion-MNIST, and their labels."""
    from bonn_hw.nn.training.checkpoint import Checkpoint

    tests = Checkpoint.load(ZOO / "fashion_wrn22").test_set()
    return tests.images, tests.labels


def smaller():
    """Its widths, with one 1-bit convolution in each of the three stages instead of six."""
    options = {"widths": [16, 16, 32, 64], "blocks": [1, 1, 1], "in_channels": 1, "size": 28}
    return calibrated("wrn", **options)


def agree_before_rtl(lowered, checkpoint, model, frames):
    """PyTorch = QONNX = integer graph, on every logit of every image."""
    answers = lowered.host.decode(lowered.graph.run(lowered.host.encode(frames)))
    np.testing.assert_array_equal(answers, frontend.read(model).run(frames))
    np.testing.assert_array_equal(answers, checkpoint.predict(frames))


def test_trained_wrn22_answers_as_pytorch(images, tmp_path):
    from bonn_hw.nn.export import export
    from bonn_hw.nn.training.checkpoint import Checkpoint

    checkpoint = Checkpoint.load(ZOO / "fashion_wrn22")
    export(checkpoint, tmp_path / "wrn.onnx")
    lowered = frontend.lower(frontend.read(tmp_path / "wrn.onnx"))
    assert lowered.findings == (DEAD,)
    agree_before_rtl(lowered, checkpoint, tmp_path / "wrn.onnx", images[0][:INTEGERS])


@pytest.mark.parametrize(
    ("network", "count"),
    [
        ("one convolution a stage", INTEGERS),
        pytest.param("trained, 28x28x1", 10_000, marks=pytest.mark.large),
        pytest.param("32x32x3", 10_000, marks=pytest.mark.large),
    ],
)
def test_rtl(network, count, images, tmp_path):
    from bonn_hw.nn.export import export
    from bonn_hw.nn.training.checkpoint import Checkpoint

    frames, labels = (part[:count] for part in images)
    if network == "32x32x3":
        frames, checkpoint = colour(frames), calibrated("wrn22", in_channels=3)
    elif network == "trained, 28x28x1":
        checkpoint = Checkpoint.load(ZOO / "fashion_wrn22")
    else:
        checkpoint = smaller()
    export(checkpoint, tmp_path / "wrn.onnx")
    target = pipeline.Target(board("pynq-z2"), 100.0, 1000.0)
    report = pipeline.compile_model(tmp_path / "wrn.onnx", target, tmp_path / "build")
    assert report.boards["pynq-z2"]
    assert list(report.findings) == [DEAD] * (network == "trained, 28x28x1")
    build = pipeline.Build.load(tmp_path / "build")
    lowered = SimpleNamespace(host=build.host, graph=build.design.graph)
    agree_before_rtl(lowered, checkpoint, tmp_path / "wrn.onnx", frames)

    every = count == len(images[0])
    free, stalled = (SIMULATED, STALLED) if every else FEW
    seeds = (1, 2) if every else (1,)
    for simulated_frames, stall in ((free, None), *((stalled, seed) for seed in seeds)):
        part = frames[:simulated_frames]
        answers = verification.simulate(build, part, jobs=cores() if every else 1, stall=stall)
        truth = PyTorch(checkpoint.predict(part), checkpoint.accumulators(part))
        stages = [layer.name for layer in report.layers]
        found = simulated(stages, answers, labels[:simulated_frames], truth, stall)
        assert found.comparison.mismatches_between == Mismatches(0, 0, 0)
        if stall is None:
            assert found.latency_cycles == report.latency_cycles.predicted
            assert found.cycles_per_frame == report.cycles_per_frame.predicted <= 100e6 / 1000
