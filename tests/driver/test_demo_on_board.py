# SPDX-License-Identifier: BSD-3-Clause
"""The demo's network on the simulated board: every test image, and the counters."""

from pathlib import Path

import numpy as np
import pytest

from bonn_hw import pipeline, verification
from bonn_hw.bitstream.pack import pack
from bonn_hw.board_sim import SimulatedBoard, SimulatedMachine
from bonn_hw.cli.main import main
from bonn_hw.driver import Accelerator
from bonn_hw.driver.measure import measure
from bonn_hw.emit.system import emit_system
from bonn_hw.nn.data import datasets
from bonn_hw.timing.model import run
from tests.support.checks import checked

pytestmark = [pytest.mark.rtl, pytest.mark.torch]

ZOO = Path(__file__).parents[2] / "zoo" / "digits"


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    assert main(["export", str(ZOO), "--out", str(folder / "digits.onnx")]) == 0
    options = ["--board", "pynq-z2", "--fps", "50000", "--checkpoint", str(ZOO)]
    command = ["compile", str(folder / "digits.onnx"), *options, "--out", str(folder / "build")]
    assert main(command) == 0
    return pipeline.Build.load(folder / "build")


@pytest.fixture(scope="module")
def accelerator(build, tmp_path_factory):
    folder = tmp_path_factory.mktemp("board") / "digits"
    pack(build.design, build.host, build.report, folder, "digits")
    with (
        SimulatedBoard(checked(emit_system(build.design, 100.0), build.design)) as simulated,
        Accelerator(folder / "digits.bit", SimulatedMachine(simulated), batch=364) as one,
    ):
        yield one


@pytest.fixture(scope="module")
def known(build):
    """The test set as the network is fed, its labels, and what `bonn-hw simulate` answers."""
    tests = datasets.load("digits", "test").transformed(build.report.model.transform)
    images = np.asarray(tests.images, np.float32).reshape(-1, *build.host.input_shape)
    return images, np.asarray(tests.labels), verification.simulate(build, images)


def test_every_test_image(accelerator, known):
    images, _, answers = known
    assert len(images) == 364
    np.testing.assert_array_equal(accelerator.predict(images), answers.y)
    np.testing.assert_array_equal(accelerator.predict(images), answers.qonnx)


def test_throughput_and_counters_are_as_predicted(accelerator, build, known):
    images, labels, answers = known
    found = measure(accelerator, images, labels)
    report = build.report
    assert found["cycles_per_frame"]["board"] == report.cycles_per_frame.predicted
    right = answers.qonnx.reshape(len(images), -1).argmax(axis=1) == labels
    assert found["accuracy"]["board"] == round(float(right.mean()), 6) > 0.95
    told = accelerator.benchmark()
    assert told["frames"] == len(images)
    rate = report.frames_per_second.predicted
    assert told["frames_per_second_at_clock"] == pytest.approx(rate, rel=1e-6)
    # To the answer's last beat; before the first beat comes in, the shell asks memory for it.
    timing = run(build.design)
    whole = int(timing.last_out[0] - timing.first_in[0])
    assert 0 <= told["latency_cycles"] - whole < 50
    assert told["cycles"] >= (len(images) - 1) * told["interval_cycles"] + told["latency_cycles"]
    assert told["streams"][0]["name"].startswith("input -> ")


def test_every_test_image_through_slow_memory(accelerator, known):
    images, _, answers = known
    simulated = accelerator._machine.board
    for seed, latency, gaps in ((1, 60, 0), (2, 0, 500), (3, 30, 300)):
        simulated.disturb(seed, latency=latency, gaps=gaps)
        np.testing.assert_array_equal(accelerator.predict(images), answers.y)
    simulated.disturb(0)
