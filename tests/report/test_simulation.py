# SPDX-License-Identifier: BSD-3-Clause
"""What is counted of a simulation: frames that differ, accuracies, and the speed."""

from dataclasses import replace

import numpy as np
import pytest

from bonn_hw.frontend import PlainComparison, Step
from bonn_hw.report.answers import Answers
from bonn_hw.report.simulation import PyTorch, _accuracy, simulated
from bonn_hw.report.values import Accuracy, Decision, Mismatches, Rounding, SimulatorSpeed
from bonn_hw.sim.run import SimulationRun

FRAMES, CLASSES = 4, 3
TRUTH = np.arange(FRAMES * CLASSES).reshape(FRAMES, 1, 1, CLASSES)[..., ::-1].copy()
LABELS = np.array([0, 0, 0, 1])  # the first class has the highest sum


def same():
    nothing = np.zeros(FRAMES, np.bool_)
    return PlainComparison(nothing, 0.0, nothing, nothing, ())


def answers(rtl=TRUTH, integer=TRUTH, qonnx=TRUTH, plain=None):
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
    return Answers(rtl, integer, floats[0], floats[1], floats[2], plain or same(), run)


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


def test_rounding_of_onnx_runtime_is_no_mismatch():
    one, other = np.eye(FRAMES, dtype=np.bool_)[:2]
    nothing = np.zeros(FRAMES, np.bool_)
    plain = PlainComparison(one, 1.5, other, nothing, (Step(1, "conv", 2),))
    found = simulated(("a", "b"), answers(plain=plain)).comparison
    assert found.mismatches == 0 and found.mismatches_between == Mismatches(0, 0, None)
    assert found.rounding == Rounding(
        last_digits=1,
        largest_ulp=1.5,
        other_decisions=1,
        decisions=(Decision(frame=1, layer="conv", channel=2),),
    )


def test_a_difference_beyond_rounding_is_a_mismatch():
    nothing, third = np.zeros(FRAMES, np.bool_), np.eye(FRAMES, dtype=np.bool_)[2]
    plain = PlainComparison(nothing, 0.0, nothing, third, ())
    found = simulated(("a", "b"), answers(plain=plain)).comparison
    assert found.mismatches == 1 and found.mismatches_between == Mismatches(0, 1, None)


def test_one_step_in_one_channel_of_one_frame_is_a_mismatch():
    for place in np.ndindex(TRUTH.shape):
        wrong = TRUTH.copy()
        wrong[place] += 1
        found = simulated(("a", "b"), answers(rtl=wrong)).comparison
        assert found.mismatches_between == Mismatches(1, 1, None) and found.mismatches == 1
        found = simulated(("a", "b"), answers(rtl=wrong, integer=wrong)).comparison
        assert found.mismatches_between == Mismatches(0, 1, None) and found.mismatches == 1


def test_what_is_not_a_number_equals_itself():
    nowhere = np.full((FRAMES, CLASSES), np.nan, np.float32)
    found = simulated(("a", "b"), replace(answers(), y=nowhere, qonnx=nowhere)).comparison
    assert found.mismatches == 0
    found = simulated(("a", "b"), replace(answers(), qonnx=nowhere)).comparison
    assert found.mismatches == FRAMES


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


def test_an_accuracy_has_six_digits():
    assert _accuracy(np.array([[0], [0], [1]]), np.array([0, 1, 0])) == 0.333333
