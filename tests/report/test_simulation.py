# SPDX-License-Identifier: BSD-3-Clause
"""What is counted of a simulation: frames that differ, accuracies, and the speed."""

import numpy as np
import pytest

from bonn_hw.report.answers import Answers
from bonn_hw.report.simulation import PyTorch, simulated
from bonn_hw.report.values import Accuracy, Mismatches, SimulatorSpeed
from bonn_hw.sim.run import SimulationRun

FRAMES, CLASSES = 4, 3
TRUTH = np.arange(FRAMES * CLASSES).reshape(FRAMES, 1, 1, CLASSES)[..., ::-1].copy()
LABELS = np.array([0, 0, 0, 1])  # the first class has the highest sum


def answers(rtl=TRUTH, integer=TRUTH, qonnx=TRUTH):
    floats = [one.reshape(FRAMES, CLASSES).astype(np.float32) / 2 for one in (rtl, integer, qonnx)]
    run = SimulationRun(
        outputs=np.zeros((FRAMES, 1), np.uint32),
        output_cycles=np.arange(FRAMES),
        first_in=np.arange(FRAMES) * 10,
        first_out=np.arange(FRAMES) * 10 + 7,
        last_out=np.arange(FRAMES) * 10 + 9,
        shards=((0, FRAMES),),
        stage_cycles=(5, 10),
        cycles=100,
        seconds=0.5,
        verilator="5.1",
    )
    return Answers(rtl, integer, floats[0], floats[1], floats[2], run)


def spoilt(*places):
    changed = TRUTH.copy()
    for frame, channel in places:
        changed[frame, 0, 0, channel] += 100
    return changed


def test_a_run_that_is_equal():
    found = simulated(("a", "b"), answers())
    assert found.comparison.mismatches == 0
    assert found.comparison.mismatches_between == Mismatches(0, 0, None)
    assert found.comparison.simulation == SimulatorSpeed(100, 0.5, 200, 8.0)
    assert (found.cycles_per_frame, found.latency_cycles) == (10, 7)
    assert found.layers == {"a": 5, "b": 10}
    assert found.accuracy == Accuracy()
    assert found.tools["verilator"] == "5.1"


def test_frames_that_differ_are_counted_once():
    found = simulated(("a", "b"), answers(integer=spoilt((0, 1), (1, 1)), qonnx=spoilt((1, 0))))
    assert found.comparison.mismatches_between == Mismatches(2, 1, None)
    assert found.comparison.mismatches == 2


@pytest.mark.parametrize(
    ("floats", "integers", "count"),
    [
        (TRUTH / 2 + 1e-7, TRUTH, 0),  # the last ulp of a float may differ
        (TRUTH / 2, spoilt((2, 1)), 1),
        (spoilt((0, 2), (3, 2)) / 2, TRUTH, 2),  # another class
    ],
)
def test_against_pytorch(floats, integers, count):
    pytorch = PyTorch(floats.reshape(FRAMES, CLASSES), integers.reshape(FRAMES, CLASSES))
    found = simulated(("a", "b"), answers(), LABELS, pytorch, stall=3)
    assert found.comparison.mismatches_between.rtl_pytorch == count
    assert found.comparison.mismatches == count
    assert found.comparison.stall_seed == 3
    assert found.accuracy.qonnx == found.accuracy.integer == found.accuracy.rtl == 0.75
    assert found.accuracy.pytorch == (0.75 if count < 2 else 0.5)
