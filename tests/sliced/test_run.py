# SPDX-License-Identifier: BSD-3-Clause
"""The bit-sliced simulator gives what Verilator gives: each output beat, and its cycle."""

import re

import numpy as np
import pytest

from bonn_hw.emit.top import emit
from bonn_hw.emit.write import write
from bonn_hw.errors import Hang
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.stream import pack, unpack
from bonn_hw.ir.tensor import BIPOLAR, TensorType
from bonn_hw.kernels.mvu import Mvu
from bonn_hw.kernels.sliding_window import SlidingWindow
from bonn_hw.sim import run as verilator
from bonn_hw.sliced import run as sliced
from bonn_hw.sliced.independence import DataDependent
from tests.support import every_kernel
from tests.support.bench import lone_design, random_values
from tests.support.planted import planted

pytestmark = pytest.mark.rtl
LANES = 64
PATIENCE = 20_000


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A network with every kernel, its RTL in a folder, and frames."""
    design = every_kernel.design()
    project, folder = emit(design), tmp_path_factory.mktemp("every")
    write(project, folder)
    frames = random_values(design.graph.tensors[design.graph.input], 200)
    return project, folder, pack(frames, project.source.lanes, project.source.element), frames


@pytest.mark.parametrize(("stall", "fan_in"), [(None, 2), (1, 3)])
def test_every_kernel(network, stall, fan_in):
    project, folder, beats, frames = network
    options = {"folder": folder, "timeout_cycles": PATIENCE, "stall": stall}
    gates = sliced.simulate(project, beats, len(frames), lanes=LANES, fan_in=fan_in, **options)
    depth = gates.shards[0][1]
    assert depth == 4  # 200 frames are 64 images at once, and 8 bits without their own
    assert gates.shards[-1] == (196, 4) and len(gates.shards) == 50
    rtl = verilator.simulate(project, beats, len(frames), jobs=50, **options)
    assert rtl.shards == gates.shards
    for name in ("outputs", "output_cycles", "first_in", "first_out", "last_out"):
        np.testing.assert_array_equal(getattr(gates, name), getattr(rtl, name), name)
    assert gates.stage_cycles == rtl.stage_cycles
    assert (gates.interval, gates.latency) == (rtl.interval, rtl.latency)
    assert len(np.unique(gates.outputs)) > 2


def test_sums_in_dsp_slices(tmp_path):
    weights = np.random.default_rng(3).choice([-1, 1], (4, 8)).astype(np.int8)
    zeros = np.zeros((1, 4), np.int64)
    units = Mvu((1, 2), BIPOLAR, weights, None, zeros, (0,), (0, 0)).alternatives(dsp48=True)
    unit = next(unit for unit in units if unit.placement.sums_in_dsp)
    project = emit(lone_design(unit, Folding(pe=2, simd=4)))
    assert re.search(r"\.SUMS_IN_DSP\(1\b", "".join(project.files.values()))
    write(project, tmp_path)
    frames = random_values(unit.inputs[0], LANES)
    beats = pack(frames, project.source.lanes, project.source.element)
    gates = sliced.simulate(
        project, beats, LANES, lanes=LANES, folder=tmp_path, timeout_cycles=PATIENCE
    )
    found = unpack(gates.outputs, project.sink.lanes, project.sink.element)
    np.testing.assert_array_equal(found, unit.reference(frames)[0].reshape(-1))


def test_counters_of_many_states(tmp_path):
    """A ring of 128 words, counters of 70 and more: Yosys reads them as Verilator does."""
    unit = SlidingWindow(TensorType((3, 70, 1), BIPOLAR), (2, 2), (1, 1))
    project = emit(lone_design(unit, Folding(pe=1, simd=1)))
    write(project, tmp_path)
    frames = random_values(unit.inputs[0], LANES)
    beats = pack(frames, project.source.lanes, project.source.element)
    gates = sliced.simulate(
        project, beats, LANES, lanes=LANES, folder=tmp_path, timeout_cycles=PATIENCE
    )
    found = unpack(gates.outputs, project.sink.lanes, project.sink.element)
    np.testing.assert_array_equal(found, unit.reference(frames)[0].reshape(-1))


def test_several_processes_give_the_same(network):
    project, folder, beats, frames = network
    options = {"folder": folder, "timeout_cycles": PATIENCE, "lanes": LANES}
    one = sliced.simulate(project, beats, len(frames), **options)
    two = sliced.simulate(project, beats, len(frames), jobs=2, **options)
    assert [len(run.shards) for run in (one, two)] == [50, 67]
    assert two.shards[-1] == (198, 2)
    np.testing.assert_array_equal(one.outputs, two.outputs)


def test_control_that_depends_on_data_is_refused_by_name(tmp_path):
    """At once, and through a register."""
    for kind, named in ((1, "planted_0.wanted"), (2, "planted_0.wanted")):
        project, beats, frames, options = planted(kind, tmp_path / str(kind))
        with pytest.raises(DataDependent) as error:
            sliced.simulate(project, beats, frames, lanes=LANES, **options)
        assert re.fullmatch(
            rf"simulate: s_axis_tready depends on data, through {named}(\[\d\])?: its cycles "
            "differ from image to image, and the bit-sliced engine needs that they are the same: "
            "choose --engine verilator",
            str(error.value),
        )


def test_lookups_and_enables_may_depend_on_data(tmp_path):
    project, beats, frames, options = planted(3, tmp_path)
    gates = sliced.simulate(project, beats, frames, lanes=LANES, **options)
    rtl = verilator.simulate(project, beats, frames, jobs=24, **options)
    assert rtl.shards == gates.shards
    np.testing.assert_array_equal(gates.outputs, rtl.outputs)
    np.testing.assert_array_equal(gates.output_cycles, rtl.output_cycles)


def test_a_hang_is_told_as_by_verilator(tmp_path):
    project, beats, _, options = planted(4, tmp_path)
    told = []
    for engine, extra in ((sliced, {"lanes": LANES}), (verilator, {})):
        with pytest.raises(Hang) as error:
            engine.simulate(project, beats[: 3 * 2], 2, **options, **extra)
        told.append(str(error.value))
    assert told[0] == told[1]
    assert "planted_0 does not accept beat 1" in told[0]
