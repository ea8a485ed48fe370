# SPDX-License-Identifier: BSD-3-Clause
"""Figures by stage, and every value as JSON and back."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonn_hw.passes.optimum import HighestRate
from bonn_hw.report.codec import Fault, encode
from bonn_hw.report.figures import Amount, Cycles, PerResource, Rate, Share
from bonn_hw.report.section_values import (
    Implemented,
    ImplementedAmount,
    Simulated,
    Simulations,
    Synthesised,
)
from bonn_hw.report.store import from_json, to_json
from bonn_hw.report.sweep_values import Design, SweepRow
from bonn_hw.report.values import (
    Accuracy,
    Bitstream,
    Comparison,
    FifoDepth,
    FirstDifference,
    Front,
    Implementation,
    Mismatches,
    Report,
    Seconds,
    SimulatorSpeed,
    Timing,
)
from bonn_hw.synth.netlist import Use
from bonn_hw.synth.paths import LongestPath
from tests.support.reports import front, point, report, stage

USE = Use(lut=1, functions=2, lutram=0, srl=0.5, ff=3, carry=1, bram36=0.5, dsp=0, depth=4,
          longest=LongestPath(4, 1, "a", "b"))  # fmt: skip
COMPARISON = Comparison(
    frames=20,
    mismatches=0,
    mismatches_between=Mismatches(0, 0, 0),
    stall_seed=None,
    simulation=SimulatorSpeed(1000, 0.5, 2000, 40.0),
)
RUN = Simulated(
    comparison=COMPARISON,
    accuracy=Accuracy(None, 0.9, 0.9, 0.9),
    cycles_per_frame=None,
    latency_cycles=30,
    layers={"mvu_0": 7},
    tools={"verilator": "5"},
)
TIMING = Timing(wns_ns=0.1, whs_ns=None, clock_mhz=25.0, worst_path=None, fmax_mhz=60.5)
IMPLEMENTED = Implemented(
    tool="yosys",
    resources=PerResource(*(ImplementedAmount(float(n), None) for n in range(4))),
    timing=TIMING,
    seconds=Seconds(synthesis=1.0, place_and_route=2.0, frames=0.5),
    bitstream=Bitstream("ulx3s-85f", "part"),
)
PLAIN = report([stage("mvu_0")])
FULL = replace(
    PLAIN,
    comparison=COMPARISON,
    accuracy=Accuracy(0.9, 0.9, 0.9, 0.9, 0.8),
    synthesis=USE,
    implementation=Implementation(bitstream=Bitstream("b", "p"), timing=TIMING),
    layers=(replace(PLAIN.layers[0], fifo=FifoDepth(8, 3), synthesised=USE),),
    frames_on_board=100,
    optimum=HighestRate(
        cost=1.0, limit="LUT", proved=True, most_frames_per_second_without_fifos=2.0
    ),
)
FIRST = FirstDifference(
    reference="integer graph",
    layer="conv1",
    stage="mvu_0",
    frame=3,
    place=(0, 1, 2),
    value=1.0,
    expected=-1.0,
    cycle=4711,
    cycle_frame=3,
    channel=1,
    values_around=(1.0, 1.0),
    expected_around=(1.0, -1.0),
)
VALUES = (
    PLAIN,
    FULL,
    replace(FULL, comparison=replace(COMPARISON, first_difference=FIRST)),
    replace(PLAIN, accuracy=Accuracy(board=0.8)),
    front([point(61.0), point(3052.0, fits=False)]),
    Simulations(main=RUN, last=replace(RUN, accuracy=Accuracy())),
    Synthesised(whole=None, stages={"mvu_0": USE}, tools={}),
    IMPLEMENTED,
    replace(IMPLEMENTED, seconds=None, plan_sha256="ab", sha256={"a.bit": "cd"}),
    SweepRow(model="m", board="b", clock_mhz=100.0, fps="max", folder="f", error="no"),
    SweepRow(
        model="m",
        board="b",
        clock_mhz=100.0,
        fps=3.5,
        folder="f",
        design=Design(
            frames_per_second=1.0,
            cycles=2,
            latency_cycles=3,
            resources=PerResource(1.0, 2.0, 0.5, 0.0),
            fits=True,
        ),
    ),
)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_json_and_back(value):
    text = json.dumps(encode(value))
    assert from_json(type(value), text) == value


@given(
    st.integers(1, 10**9),
    st.none() | st.integers(1, 10**9),
    st.none() | st.floats(1, 1e9),
    st.floats(0, 1e6),
    st.none() | st.floats(0, 1e6),
    st.text(),
)
def test_any_figures_and_names_come_back(cycles, simulated, board, lut, synthesised, name):
    value = replace(
        PLAIN,
        cycles_per_frame=Cycles(cycles, simulated, board),
        resources=replace(
            PLAIN.resources, lut=Amount(predicted=lut, available=1.0, synthesised=synthesised)
        ),
        layers=(replace(PLAIN.layers[0], origin=name),),
    )
    assert from_json(Report, to_json(value)) == value


def test_a_figure_says_at_which_stages_it_is_known():
    assert Cycles(8, None).known == {"predicted": 8}
    assert Cycles(8, 9, 9.5).known == {"predicted": 8, "simulated": 9, "board": 9.5}
    assert Rate(1.0, 2.0).known == {"predicted": 1.0, "board": 2.0}
    assert Share(None, 0.5).known == {"synthesised": 0.5}
    amount = Amount(predicted=3.0, available=9.0, implemented=4.0, implemented_accelerator=2.0)
    assert amount.known == {"predicted": 3.0, "implemented": 4.0}


def test_what_is_not_known_is_null_or_left_out_as_it_always_was():
    assert encode(Cycles(8, None)) == {"predicted": 8, "simulated": None}
    assert encode(Rate(1.0)) == {"predicted": 1.0}
    assert encode(Amount(predicted=1.0, available=2.0)) == {"predicted": 1.0, "available": 2.0}
    assert encode(Accuracy()) == {}
    assert encode(Accuracy(None, 0.5, 0.5, 0.5)) == {
        "pytorch": None, "qonnx": 0.5, "integer": 0.5, "rtl": 0.5
    }  # fmt: skip
    assert encode(Accuracy(board=0.5)) == {"board": 0.5}
    plain = encode(PLAIN)
    assert not {"frames", "stall_seed", "timing", "synthesis", "frames_on_board"} & set(plain)
    assert encode(FULL)["stall_seed"] is None


def test_resources_by_name():
    four = PerResource(1, 2, 3, 4)
    assert list(four) == [1, 2, 3, 4]
    assert four.named == {"lut": 1, "ff": 2, "bram36": 3, "dsp": 4}


def changed(**changes):
    return json.dumps(encode(FULL) | changes)


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        (Report, "{", "it is not JSON (Expecting property name enclosed in double quotes"),
        (Report, "[]", "it holds no object"),
        (Report, "{}", "model is missing"),
        (Report, changed(colour=1), "colour is not known"),
        (Report, changed(schema=99), "its schema is 99, and this bonn-hw reads 1"),
        (Report, changed(notes="a"), "notes must be a list, not 'a'"),
        (Report, changed(notes=[1]), "notes[0] must be a string, not 1"),
        (Report, changed(frames=True), "frames must be an integer, not True"),
        (Report, changed(boards={"b": 1}), "boards.b must be true or false, not 1"),
        (Report, changed(latency_cycles={"predicted": 1}), "latency_cycles.simulated is missing"),
        (
            Report,
            changed(latency_cycles={"predicted": 1.5, "simulated": None}),
            "latency_cycles.predicted must be an integer, not 1.5",
        ),
        (Report, changed(target=None), "target must be an object, not None"),
        (Report, changed(optimum={"cost": 1.0}), "optimum.limit is missing"),
        (Front, changed(), "accuracy is not known"),
    ],
)
def test_json_that_is_no_report(kind, text, told):
    with pytest.raises(Fault) as caught:
        from_json(kind, text)
    assert str(caught.value).startswith(told)


def test_a_comparison_with_a_key_missing_is_no_report():
    tree = encode(FULL)
    del tree["mismatches"]
    with pytest.raises(Fault, match=r"^mismatches is missing$"):
        from_json(Report, json.dumps(tree))
