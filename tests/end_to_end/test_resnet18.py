# SPDX-License-Identifier: BSD-3-Clause
"""ResNet-18 on 224x224 images: lowered, folded, emitted, linted, one frame simulated."""

import numpy as np
import pytest

from benchmarks.calibration import calibrated
from bonn_hw import pipeline, verification
from bonn_hw.boards import board
from tests.support import lint

pytestmark = [pytest.mark.rtl, pytest.mark.torch, pytest.mark.large]


def test_resnet18(tmp_path):
    from bonn_hw.nn.export import export

    checkpoint = calibrated("resnet18", batches=2, batch=4)
    export(checkpoint, tmp_path / "resnet.onnx")
    target = pipeline.Target(board("rfsoc4x2"), 100.0, 100.0)
    report = pipeline.compile_model(tmp_path / "resnet.onnx", target, tmp_path / "build")
    fits = {name for name, holds in report.boards.items() if holds}
    assert fits == {"zcu111", "rfsoc4x2", "alveo-u250"}
    assert report.cycles_per_frame.predicted <= 1_000_000

    folder = tmp_path / "build" / "rtl"
    files = [folder / name for name in (folder / "resnet_top.f").read_text().split()]
    assert lint.verilator("resnet_top", files, waived=["UNUSEDSIGNAL"]) == ""
    assert lint.slang("resnet_top", files) == ""

    levels = np.random.default_rng(0).integers(-128, 128, (1, 3, 224, 224))
    images = (levels / 128).astype(np.float32)
    answers = verification.simulate(pipeline.Build.load(tmp_path / "build"), images)
    np.testing.assert_array_equal(answers.rtl, answers.integer)
    np.testing.assert_array_equal(answers.y, answers.qonnx)
    np.testing.assert_array_equal(answers.y, checkpoint.predict(images))
    assert answers.run.latency == report.latency_cycles.predicted
