# SPDX-License-Identifier: BSD-3-Clause
"""Verdicts of a report: what passes, what is only noted, what fails; and the limits of a user."""

from dataclasses import replace

import numpy as np
import pytest

from bonn_hw.boards import board
from bonn_hw.errors import UserError
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.target import Target
from bonn_hw.passes.plan import Reach
from bonn_hw.report.figures import Cycles
from bonn_hw.report.first_difference import differing
from bonn_hw.report.values import (
    Accuracy,
    Comparison,
    Decision,
    Expected,
    Mismatches,
    Rounding,
    SimulatorSpeed,
)
from bonn_hw.report.verdicts import (
    LAYERS,
    Limit,
    State,
    Thresholds,
    of_check,
    of_simulation,
    of_thresholds,
)
from bonn_hw.synth.netlist import Use
from bonn_hw.synth.paths import LongestPath
from tests.support.reports import report, stage

EQUAL = Mismatches(0, 0)
NOTHING = Rounding(last_digits=0, largest_ulp=0.0, other_decisions=0, decisions=())
ONE = replace(NOTHING, other_decisions=1, decisions=(Decision(frame=1, layer="conv", channel=2),))


def simulated(between=EQUAL, rounding=NOTHING, stall=None, cycles=1000):
    made = report([stage("a", lut=5320.0)], interval=1000)
    return replace(
        made,
        comparison=Comparison(
            frames=20,
            mismatches=max(between.rtl_integer, between.rtl_qonnx),
            mismatches_between=between,
            rounding=rounding,
            stall_seed=stall,
            simulation=SimulatorSpeed(1, 1.0, 1, 1.0),
        ),
        accuracy=Accuracy(rtl=0.9, qonnx=0.9, integer=0.9),
        cycles_per_frame=Cycles(1000, cycles),
        latency_cycles=Cycles(3000, 3000),
    )


def states(verdicts):
    return {one.name: one.state.value for one in verdicts}


def test_a_limit_of_the_logic_depth_names_the_longest_path():
    flat = Use(1, 1, 0, 0, 1, 0, 0, 0, depth=4, longest=LongestPath(4, 0, "a", "b"))
    deep = replace(flat, depth=5, longest=LongestPath(5, 1, "fill_q[3]", "row[0]"))
    stages = [replace(stage("one"), synthesised=deep), replace(stage("two"), synthesised=flat)]
    whole = replace(report(stages), synthesis=flat)
    (found,) = of_thresholds(whole, Thresholds(depth=4))
    path = "5 LUT and 1 carry chain from fill_q[3] to row[0]"
    assert found.failed
    assert found.text == f"logic depth: 5, {path}, in one, which does not meet --max-depth 4"
    (found,) = of_thresholds(whole, Thresholds(depth=5))
    assert not found.failed


def test_an_equal_run_passes_everywhere():
    assert states(of_simulation(simulated())) == {
        "RTL and integer graph": "passed",
        "RTL and QONNX model": "passed",
        "ONNX Runtime decides alike": "passed",
        "cycles per frame as predicted": "passed",
        "latency in cycles as predicted": "passed",
    }
    assert of_simulation(report([stage("a")])) == ()


def test_each_reference_has_its_own_verdict():
    found = of_simulation(simulated(Mismatches(1, 2, 3, 4)))
    failed = [one.text for one in found if one.failed]
    assert failed == [
        "RTL and integer graph: 1 of 20 frames differ",
        "RTL and QONNX model: 2 of 20 frames differ",
        "RTL and PyTorch: 3 of 20 frames differ",
        "RTL and expected outputs: 4 of 20 frames differ",
    ]


def test_frames_that_agree_with_expected_outputs_are_told_by_kind():
    made = simulated(Mismatches(0, 0, 0, 0))
    kinds = Expected(equal=17, last_digits=3, rounded=0, differ=0, largest=1e-7)
    found = of_simulation(replace(made, comparison=replace(made.comparison, expected=kinds)))
    assert [one.text for one in found][:4] == [
        "RTL and integer graph: 20 frames equal",
        "RTL and QONNX model: 20 frames equal",
        "RTL and PyTorch: 20 frames equal",
        "RTL and expected outputs: 17 frames equal, 3 equal but for the last digits",
    ]


@pytest.mark.parametrize("strict", [False, True])
def test_rounding_and_cycles_fail_only_if_asked(strict):
    found = of_simulation(simulated(rounding=ONE, cycles=1001), strict)
    bad = [one for one in found if one.state is not State.PASSED]
    assert {one.state for one in bad} == {State.FAILED if strict else State.NOTED}
    assert [one.text for one in bad] == [
        "ONNX Runtime's rounded sums decide otherwise in 1 frames, the first at conv, channel 2",
        "cycles per frame: 1,001 simulated, 1,000 predicted",
    ]


def test_cycles_under_stalls_are_not_judged():
    found = states(of_simulation(simulated(stall=3, cycles=5000), strict=True))
    assert not any("cycles" in name for name in found)


def test_limits_that_are_met():
    limits = Thresholds(accuracy=0.9, lut=Limit(0.1, share=True), fps=100_000)
    assert [one.text for one in of_thresholds(simulated(), limits)] == [
        "accuracy of the RTL: 0.9, within --min-accuracy 0.9",
        "LUT: 5,320 predicted (10.0% of pynq-z2), within --max-lut 10%",
        "frames per second at 100 MHz: 100,000.0 predicted, within --min-fps 100000",
    ]


def test_limits_that_are_not_met():
    limits = Thresholds(accuracy=0.91, lut=Limit(5319), fps=100_001)
    found = of_thresholds(simulated(), limits)
    assert all(one.failed for one in found)
    assert found[0].text == "accuracy of the RTL: 0.9, which does not meet --min-accuracy 0.91"
    assert found[1].text.endswith("which does not meet --max-lut 5319")


def test_the_surest_figures_count():
    made = simulated(cycles=1250)
    used = replace(made.resources, lut=replace(made.resources.lut, synthesised=6000))
    limits = Thresholds(lut=Limit(5500), fps=90_000)
    lut, fps = of_thresholds(replace(made, resources=used), limits)
    assert lut.failed and "6,000 synthesised" in lut.text
    assert fps.failed and "80,000.0 simulated" in fps.text
    (fps,) = of_thresholds(simulated(cycles=9999, stall=1), Thresholds(fps=90_000))
    assert not fps.failed  # cycles with stalls say nothing


def test_an_accuracy_that_is_not_known():
    with pytest.raises(UserError, match=r"^--min-accuracy: the labels .* are not known: simulate"):
        of_thresholds(report([stage("a")]), Thresholds(accuracy=0.5))


def test_what_a_board_can_reach():
    target = Target(board("pynq-z2"), 100.0, 2000.0)
    reach = Reach(3000.0, Resources(10_640.0, 0, 0, 0), ())
    good = Thresholds(lut=Limit(0.2, share=True), fps=3000)
    assert states(of_check(reach, target, good)) == {
        "supported": "passed",
        "frames per second": "passed",
        "LUT": "passed",
    }
    tight = Thresholds(lut=Limit(10_639), fps=3001)
    assert [one.failed for one in of_check(reach, target, tight)] == [False, True, True]
    none = of_check(Reach(None, None, ()), target, tight)
    assert [one.failed for one in none] == [False, True, True]
    assert none[2].text.startswith("LUT: no design of 2,000.0 frames per second fits pynq-z2")
    assert states(of_check(None, None, Thresholds())) == {"supported": "passed"}


@pytest.mark.parametrize(("reference", "told"), [(LAYERS, True), ("integer graph", False)])
def test_values_of_a_layer_that_differ_have_a_verdict(reference, told):
    values = np.zeros((1, 1, 1, 2))
    first = differing(values, values + 1, reference=reference, layer="conv")
    made = simulated()
    found = of_simulation(
        replace(made, comparison=replace(made.comparison, first_difference=first))
    )
    text = "RTL and expected values: the values of layer conv differ"
    assert [one.failed for one in found if one.text == text] == [True] * told
