# SPDX-License-Identifier: BSD-3-Clause
"""Which engine simulates, and that a difference between both is found."""

from dataclasses import replace

import numpy as np
import pytest

from bonn_hw.errors import InternalError, UserError
from bonn_hw.sliced import engines
from bonn_hw.sliced.independence import DataDependent
from bonn_hw.synth.yosys import Job
from tests.support.planted import planted

pytestmark = pytest.mark.rtl
FOR_ALL = 10 * engines.ENOUGH  # cycles of a frame


def test_many_frames_take_the_gates_and_verilator_is_their_witness(tmp_path):
    project, beats, frames, options = planted(0, tmp_path)
    by = {
        (engine, cycles): engines.simulate(
            project, beats, frames, engine=engine, cycles=cycles, **options
        )
        for engine, cycles in (
            *(("auto", 1), ("auto", FOR_ALL)),
            *(("verilator", FOR_ALL), ("sliced", 1)),
        )
    }
    assert [run.lanes > 1 for run in by.values()] == [False, True, False, True]
    assert len({run.verilator for run in by.values()}) == 1
    for run in by.values():
        np.testing.assert_array_equal(run.outputs, by["verilator", FOR_ALL].outputs)


def test_control_that_depends_on_data_falls_back_to_verilator(tmp_path):
    project, beats, frames, options = planted(1, tmp_path)
    told = []
    run = engines.simulate(
        project, beats, frames, engine="auto", cycles=FOR_ALL, progress=told.append, **options
    )
    assert run.lanes == 1
    assert any(text.startswith("Verilator, for simulate: s_axis_tready depends") for text in told)
    with pytest.raises(DataDependent):
        engines.simulate(project, beats, frames, engine="sliced", cycles=1, **options)


def test_the_netlist_of_a_synthesis(tmp_path):
    """Equal to its witness, the RTL; control that depends on data is found in it too."""
    project, beats, frames, options = planted(0, tmp_path / "0")
    job = Job(options["folder"], "xc7")
    run = engines.simulate(project, beats, frames, engine="auto", cycles=1, job=job, **options)
    rtl = engines.simulate(project, beats, frames, engine="verilator", cycles=1, **options)
    assert run.netlist and run.lanes > 1 and not rtl.netlist
    assert run.verilator == rtl.verilator
    np.testing.assert_array_equal(run.outputs, rtl.outputs)
    for extra in ({"engine": "verilator"}, {"engine": "auto", "trace": tmp_path / "w.vcd"}):
        with pytest.raises(UserError, match=r"^simulate: --netlist is for the bit-sliced engine, "):
            engines.simulate(project, beats, frames, cycles=1, job=job, **extra, **options)
    project, beats, frames, options = planted(1, tmp_path / "1")
    with pytest.raises(DataDependent, match="s_axis_tready depends on data"):
        engines.simulate(
            project, beats, frames, engine="auto", cycles=1, job=Job(options["folder"], "xc7"),
            **options,
        )  # fmt: skip


def test_waves_are_verilators(tmp_path):
    project, beats, frames, options = planted(0, tmp_path)
    trace = tmp_path / "w.vcd"
    with pytest.raises(UserError) as error:
        engines.simulate(project, beats, frames, engine="sliced", cycles=1, trace=trace, **options)
    assert str(error.value) == (
        f"simulate: --trace {trace} needs --engine verilator: the bit-sliced engine has no "
        "waveforms"
    )
    run = engines.simulate(
        project, beats[:6], 2, engine="auto", cycles=FOR_ALL, trace=trace, **options
    )
    assert run.lanes == 1 and trace.is_file()


def test_a_difference_between_the_engines_is_told(tmp_path):
    project, beats, frames, options = planted(0, tmp_path)
    run = engines.simulate(project, beats, frames, engine="sliced", cycles=1, **options)
    first = engines.simulate(project, beats[:9], 3, engine="verilator", cycles=1, **options)
    outputs, cycles = first.outputs.copy(), first.output_cycles.copy()
    outputs[4] ^= 1
    cycles[8] += 1
    for witness, what in (
        (replace(first, outputs=outputs), "output of beat 1 of frame 1"),
        (replace(first, output_cycles=cycles), "cycle of beat 2 of frame 2"),
    ):
        with pytest.raises(InternalError) as error:
            engines.checked(run, witness, project)
        assert str(error.value) == (
            f"the bit-sliced engine and Verilator differ in the {what}: simulate with --engine "
            "verilator"
        )
    assert engines.checked(run, first, project).verilator == first.verilator
